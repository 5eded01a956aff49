#!/usr/bin/env bash
# "exp" and "iat" are JSON numbers that may have a fraction (RFC 7519, section 2), as
# Python's time.time() has one. Google's OpenID Connect client for Java, which takes ID
# tokens of any issuer, reads them into a Long and parses no token in which one is
# 2000000000.5, 2000000000.0 or 2e9. java-jwt of Auth0 and jose4j read all of these. An
# issuer that wants to be understood by all writes whole seconds, in digits alone.
# Needs java 17 or later and mvn.
set -euo pipefail
command -v java >/dev/null && command -v mvn >/dev/null || { echo "java and mvn are needed" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >pom.xml <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.google.oauth-client</groupId><artifactId>google-oauth-client</artifactId><version>1.39.0</version></dependency>
    <dependency><groupId>com.auth0</groupId><artifactId>java-jwt</artifactId><version>4.6.2</version></dependency>
    <dependency><groupId>org.bitbucket.b_c</groupId><artifactId>jose4j</artifactId><version>0.9.7</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B -Dmaven.repo.local=m2 -DoutputDirectory=lib \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies >mvn.log 2>&1 || { cat mvn.log >&2; exit 2; }
cat >Main.java <<'JAVA'
import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.google.api.client.auth.openidconnect.IdToken;
import com.google.api.client.json.gson.GsonFactory;
import java.security.*;
import java.security.interfaces.RSAPublicKey;
import java.util.Base64;
import java.util.concurrent.Callable;
import org.jose4j.jwt.consumer.JwtConsumerBuilder;

public class Main {
    public static void main(String[] args) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        KeyPair pair = generator.generateKeyPair();
        RSAPublicKey key = (RSAPublicKey) pair.getPublic();
        for (String exp : new String[] {"2000000000", "2000000000.0", "2e9", "2000000000.5"}) {
            String input = part("{\"alg\":\"RS256\"}") + "." + part("{\"iss\":\"https://op.example\",\"aud\":\"client\","
                + "\"sub\":\"alice\",\"iat\":1700000000,\"exp\":" + exp + "}");
            Signature signature = Signature.getInstance("SHA256withRSA");
            signature.initSign(pair.getPrivate());
            signature.update(input.getBytes());
            String token = input + "." + Base64.getUrlEncoder().withoutPadding().encodeToString(signature.sign());
            System.out.println(exp
                + ": google-oauth-client " + verdict(() -> IdToken.parse(GsonFactory.getDefaultInstance(), token).verifySignature(key))
                + ", java-jwt " + verdict(() -> JWT.require(Algorithm.RSA256(key, null)).build().verify(token) != null)
                + ", jose4j " + verdict(() -> new JwtConsumerBuilder().setVerificationKey(key).setExpectedAudience("client")
                    .build().processToClaims(token) != null));
        }
    }

    static String part(String json) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(json.getBytes());
    }

    static String verdict(Callable<Boolean> check) {
        try {
            return check.call().toString();
        } catch (Exception e) {
            return "false";
        }
    }
}
JAVA
ls lib | grep -E 'google-oauth|java-jwt|jose4j'
got=$(java -cp 'lib/*' Main.java)
echo "$got"
want='2000000000: google-oauth-client true, java-jwt true, jose4j true
2000000000.0: google-oauth-client false, java-jwt true, jose4j true
2e9: google-oauth-client false, java-jwt true, jose4j true
2000000000.5: google-oauth-client false, java-jwt true, jose4j true'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
