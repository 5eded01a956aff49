#!/usr/bin/env bash
# What a key is for may be said by values of one's own: for both "use" and "key_ops" RFC
# 7517, sections 4.2 and 4.3, lists some values and says that others may be used. Nimbus,
# by which Spring Security reads key sets, takes any "use", and refuses the whole key set
# where one key has an operation that it does not know: then no token of that issuer is
# accepted, whichever key has signed it. jose4j reads both.
# Whoever publishes keys says such a thing in "use", or in a member of its own.
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
    <dependency><groupId>com.nimbusds</groupId><artifactId>nimbus-jose-jwt</artifactId><version>10.10</version></dependency>
    <dependency><groupId>org.bitbucket.b_c</groupId><artifactId>jose4j</artifactId><version>0.9.7</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.17</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B -Dmaven.repo.local=m2 -DoutputDirectory=lib \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies >mvn.log 2>&1 || { cat mvn.log >&2; exit 2; }
cat >Main.java <<'JAVA'
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.util.JSONObjectUtils;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jose4j.jwk.JsonWebKeySet;

public class Main {
    public static void main(String[] args) throws Exception {
        read("none", Map.of());
        read("use", Map.of("use", "https://op.example/use/receipts"));
        read("key_ops", Map.of("key_ops", List.of("verify")));
        read("key_ops", Map.of("key_ops", List.of("https://op.example/ops/receipts")));
    }

    static void read(String name, Map<String, Object> members) throws Exception {
        Map<String, Object> first = key("first"), second = key("second");
        second.putAll(members);
        String set = JSONObjectUtils.toJSONString(Map.of("keys", List.of(first, second)));
        System.out.println(name + " " + members.values());
        say("nimbus-jose-jwt", () -> JWKSet.parse(set).size());
        say("jose4j", () -> new JsonWebKeySet(set).getJsonWebKeys().size());
    }

    static Map<String, Object> key(String id) throws Exception {
        return new ECKeyGenerator(com.nimbusds.jose.jwk.Curve.P_256).keyID(id).generate().toPublicJWK().toJSONObject();
    }

    static void say(String library, Callable<Integer> read) {
        try {
            System.out.println("  " + library + ": keys " + read.call());
        } catch (Exception e) {
            System.out.println("  " + library + ": " + e.getMessage());
        }
    }
}
JAVA
ls lib | grep -E 'nimbus|jose4j'
got=$(java -cp 'lib/*' Main.java)
echo "$got"
want='none []
  nimbus-jose-jwt: keys 2
  jose4j: keys 2
use [https://op.example/use/receipts]
  nimbus-jose-jwt: keys 2
  jose4j: keys 2
key_ops [[verify]]
  nimbus-jose-jwt: keys 2
  jose4j: keys 2
key_ops [[https://op.example/ops/receipts]]
  nimbus-jose-jwt: Invalid JWK at position 1: Invalid JWK operation: https://op.example/ops/receipts
  jose4j: keys 2'
[ "$got" = "$want" ] || { echo "changed: want" >&2; echo "$want" >&2; exit 1; }
