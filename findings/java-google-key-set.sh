#!/usr/bin/env bash
# A key set may hold keys for encryption, and keys of any algorithm, and "alg" may be absent
# (RFC 7517, sections 4 and 5): Keycloak publishes a key for RSA-OAEP beside that for RS256,
# and Microsoft's keys have no "alg". Google's two verifiers for Java, which take the address
# of any issuer's key set, verify no token at all where one key of the set has an "alg" other
# than RS256 and ES256, or none (of the first it is known, and open:
# https://github.com/googleapis/google-oauth-java-client/issues/1113). And they keep a good
# set for an hour, without asking again for a key that they do not know: a token
# signed by a key that was published since is refused until then. jose4j takes all of these.
# An issuer whom they are to understand publishes keys of these two algorithms alone,
# each with "alg", and the next one more than an hour before it signs.
# Needs java 17 or later and mvn.
set -euo pipefail
for needed in java mvn; do
    command -v "$needed" >/dev/null || { echo "$needed is needed" >&2; exit 2; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.google.oauth-client</groupId><artifactId>google-oauth-client</artifactId><version>1.39.0</version></dependency>
    <dependency><groupId>com.google.auth</groupId><artifactId>google-auth-library-oauth2-http</artifactId><version>1.57.0</version></dependency>
    <dependency><groupId>org.bitbucket.b_c</groupId><artifactId>jose4j</artifactId><version>0.9.7</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B -Dmaven.repo.local=m2 -DoutputDirectory=lib \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies >mvn.log 2>&1 || { cat mvn.log >&2; exit 2; }
cat >Main.java <<'JAVA'
import com.google.api.client.auth.openidconnect.IdToken;
import com.google.api.client.auth.openidconnect.IdTokenVerifier;
import com.google.api.client.json.gson.GsonFactory;
import com.google.auth.oauth2.TokenVerifier;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.*;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.LogManager;
import org.jose4j.jwk.*;
import org.jose4j.jws.JsonWebSignature;
import org.jose4j.jwt.JwtClaims;
import org.jose4j.jwt.consumer.JwtConsumer;
import org.jose4j.jwt.consumer.JwtConsumerBuilder;
import org.jose4j.keys.resolvers.HttpsJwksVerificationKeyResolver;

public class Main {
    static final String ISSUER = "https://op.example", AUDIENCE = "client";
    static final List<String> NAMES = List.of("google-oauth-client", "google-auth-library", "jose4j");
    static volatile List<RsaJsonWebKey> published;
    static final Map<String, AtomicInteger> fetches = new HashMap<>();

    interface Verifier {
        boolean verify(String token) throws Exception;
    }

    static int port;

    public static void main(String[] args) throws Exception {
        LogManager.getLogManager().reset();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            fetches.get(exchange.getRequestURI().getPath().substring(1)).incrementAndGet();
            byte[] body = new JsonWebKeySet(published).toJson(JsonWebKey.OutputControlLevel.PUBLIC_ONLY).getBytes();
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        port = server.getAddress().getPort();
        RsaJsonWebKey signs = key("signs", "RS256", "sig"), next = key("next", "RS256", "sig"), bare = key("signs", null, null);
        Map<String, List<RsaJsonWebKey>> sets = new LinkedHashMap<>();
        sets.put("RS256, RS256", List.of(signs, next));
        sets.put("RS256, RSA-OAEP", List.of(signs, key("encrypts", "RSA-OAEP", "enc")));
        sets.put("RS256, RS512", List.of(signs, key("other", "RS512", "sig")));
        sets.put("RS256, without alg", List.of(signs, key("other", null, "sig")));
        sets.put("without alg", List.of(bare));
        for (Map.Entry<String, List<RsaJsonWebKey>> set : sets.entrySet()) {
            published = set.getValue();
            Map<String, Verifier> verifiers = verifiers();
            RsaJsonWebKey signer = published.get(0);
            StringJoiner line = new StringJoiner(", ", set.getKey() + ": ", "");
            for (String name : NAMES) {
                line.add(name + " " + verdict(verifiers.get(name), token(signer)));
            }
            System.out.println(line);
        }
        published = List.of(signs);
        Map<String, Verifier> verifiers = verifiers();
        for (String name : NAMES) {
            verdict(verifiers.get(name), token(signs));
        }
        published = List.of(signs, next);
        for (String name : NAMES) {
            System.out.println("a new key published: " + name + " " + verdict(verifiers.get(name), token(next))
                + ", keys fetched " + fetches.get(name));
        }
        server.stop(0);
    }

    static Map<String, Verifier> verifiers() {
        NAMES.forEach(name -> fetches.put(name, new AtomicInteger()));
        IdTokenVerifier client = new IdTokenVerifier.Builder().setCertificatesLocation(at("google-oauth-client"))
            .setIssuer(ISSUER).setAudience(List.of(AUDIENCE)).build();
        TokenVerifier library = TokenVerifier.newBuilder().setCertificatesLocation(at("google-auth-library"))
            .setIssuer(ISSUER).setAudience(AUDIENCE).build();
        HttpsJwks jwks = new HttpsJwks(at("jose4j"));
        jwks.setRefreshReprieveThreshold(0);
        JwtConsumer consumer = new JwtConsumerBuilder().setExpectedIssuer(ISSUER).setExpectedAudience(AUDIENCE)
            .setVerificationKeyResolver(new HttpsJwksVerificationKeyResolver(jwks)).build();
        return Map.of(
            "google-oauth-client", token -> client.verifyOrThrow(IdToken.parse(GsonFactory.getDefaultInstance(), token)),
            "google-auth-library", token -> library.verify(token) != null,
            "jose4j", token -> consumer.processToClaims(token) != null);
    }

    static String at(String name) {
        return "http://127.0.0.1:" + port + "/" + name;
    }

    static RsaJsonWebKey key(String id, String algorithm, String use) throws Exception {
        RsaJsonWebKey key = RsaJwkGenerator.generateJwk(2048);
        key.setKeyId(id);
        key.setAlgorithm(algorithm);
        key.setUse(use);
        return key;
    }

    static String token(RsaJsonWebKey key) throws Exception {
        JwtClaims claims = new JwtClaims();
        claims.setIssuer(ISSUER);
        claims.setAudience(AUDIENCE);
        claims.setSubject("alice");
        claims.setIssuedAtToNow();
        claims.setExpirationTimeMinutesInTheFuture(5);
        JsonWebSignature signature = new JsonWebSignature();
        signature.setPayload(claims.toJson());
        signature.setKey(key.getPrivateKey());
        signature.setKeyIdHeaderValue(key.getKeyId());
        signature.setAlgorithmHeaderValue("RS256");
        return signature.getCompactSerialization();
    }

    static boolean verdict(Verifier verifier, String token) {
        try {
            return verifier.verify(token);
        } catch (Exception e) {
            return false;
        }
    }
}
JAVA
for jar in lib/google-oauth-client-[0-9]* lib/google-auth-library-oauth2* lib/jose4j*; do
    basename "$jar" .jar
done
got=$(java -cp 'lib/*' Main.java)
echo "$got"
want='RS256, RS256: google-oauth-client true, google-auth-library true, jose4j true
RS256, RSA-OAEP: google-oauth-client false, google-auth-library false, jose4j true
RS256, RS512: google-oauth-client false, google-auth-library false, jose4j true
RS256, without alg: google-oauth-client false, google-auth-library false, jose4j true
without alg: google-oauth-client false, google-auth-library false, jose4j true
a new key published: google-oauth-client false, keys fetched 1
a new key published: google-auth-library false, keys fetched 1
a new key published: jose4j true, keys fetched 2'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
