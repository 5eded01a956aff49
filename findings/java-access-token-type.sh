#!/usr/bin/env bash
# The "typ" of an access token is "at+jwt" or "application/at+jwt" (RFC 9068, section 4):
# the prefix may be left out, and means nothing (RFC 7515, section 4.1.9). The verifier of
# types in Nimbus, told to want at+jwt, refuses the long form, of which it has to be told
# too; it is not particular about the case of letters. Spring Security, which stands upon
# it, and jose4j take both.
# Needs a JDK of version 17 or later, and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.nimbusds</groupId><artifactId>nimbus-jose-jwt</artifactId><version>10.10</version></dependency>
    <dependency><groupId>org.bitbucket.b_c</groupId><artifactId>jose4j</artifactId><version>0.9.7</version></dependency>
    <dependency><groupId>org.springframework.security</groupId><artifactId>spring-security-oauth2-jose</artifactId><version>7.0.0</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib >/dev/null
cat >Main.java <<'JAVA'
import com.nimbusds.jose.*;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.*;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.proc.*;
import com.nimbusds.jwt.*;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.util.Date;
import org.jose4j.jwt.consumer.JwtConsumerBuilder;
import org.springframework.security.oauth2.jwt.*;

public class Main {
    interface Check { void run() throws Exception; }

    static boolean passes(Check check) {
        try {
            check.run();
            return true;
        } catch (Exception refused) {
            return false;
        }
    }

    public static void main(String[] args) throws Exception {
        RSAKey key = new RSAKeyGenerator(2048).keyID("k").algorithm(JWSAlgorithm.RS256).generate();
        var nimbus = new DefaultJWTProcessor<SecurityContext>();
        nimbus.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt")));
        nimbus.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.RS256, new ImmutableJWKSet<>(new JWKSet(key))));
        var spring = NimbusJwtDecoder.withPublicKey(key.toRSAPublicKey()).validateType(false).build();
        spring.setJwtValidator(JwtValidators.createAtJwtValidator().issuer("https://op.example").audience("db").clientId("app").build());
        var jose4j = new JwtConsumerBuilder().setExpectedType(true, "at+jwt").setVerificationKey(key.toPublicKey()).setExpectedAudience("db").build();

        for (String type : new String[] {"at+jwt", "AT+JWT", "application/at+jwt"}) {
            long now = System.currentTimeMillis();
            var token = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.RS256).keyID("k").type(new JOSEObjectType(type)).build(),
                new JWTClaimsSet.Builder().issuer("https://op.example").subject("alice").audience("db").claim("client_id", "app")
                    .jwtID("1").issueTime(new Date(now)).expirationTime(new Date(now + 600_000)).build());
            token.sign(new RSASSASigner(key));
            String text = token.serialize();
            System.out.printf("%s: nimbus %b, spring %b, jose4j %b%n", type,
                passes(() -> nimbus.process(text, null)), passes(() -> spring.decode(text)), passes(() -> jose4j.process(text)));
        }
    }
}
JAVA
got=$(java -cp 'lib/*' Main.java 2>/dev/null)
echo "$got"
want='at+jwt: nimbus true, spring true, jose4j true
AT+JWT: nimbus true, spring true, jose4j true
application/at+jwt: nimbus false, spring true, jose4j true'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
