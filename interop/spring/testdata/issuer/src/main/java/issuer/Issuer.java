package issuer;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.proc.SecurityContext;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.configuration.WebSecurityCustomizer;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.core.SpringSecurityCoreVersion;
import org.springframework.security.oauth2.jwt.JwtEncoder;
import org.springframework.security.oauth2.jwt.NimbusJwtEncoder;
import org.springframework.security.oauth2.server.authorization.token.JwtEncodingContext;
import org.springframework.security.oauth2.server.authorization.token.OAuth2TokenCustomizer;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * A Spring Authorization Server as applications configure it, by Spring Boot's
 * properties, with authorities mapped to "roles" and keys that can be rotated.
 */
@SpringBootApplication
@RestController
public class Issuer {
  private final List<JWK> keys = new ArrayList<>(); // the first one signs

  public static void main(String[] args) {
    SpringApplication.run(Issuer.class, args);
  }

  @GetMapping("/test/version")
  String version() {
    return SpringSecurityCoreVersion.getVersion();
  }

  /** Rotate puts a new key before those there are. */
  @PostMapping("/test/keys")
  synchronized void rotate() throws JOSEException {
    keys.add(0, new RSAKeyGenerator(2048).keyID(UUID.randomUUID().toString()).generate());
  }

  /** Retire withdraws all keys but the one that signs. */
  @DeleteMapping("/test/keys")
  synchronized void retire() {
    keys.subList(1, keys.size()).clear();
  }

  private synchronized JWKSet published() {
    return new JWKSet(List.copyOf(keys));
  }

  @Bean
  JWKSource<SecurityContext> keySource() throws JOSEException {
    rotate();
    return (selector, context) -> selector.select(published());
  }

  @Bean
  JwtEncoder encoder(JWKSource<SecurityContext> source) {
    NimbusJwtEncoder encoder = new NimbusJwtEncoder(source);
    encoder.setJwkSelector(found -> found.get(0));
    return encoder;
  }

  @Bean
  OAuth2TokenCustomizer<JwtEncodingContext> roles() {
    return context ->
        context
            .getClaims()
            .claim(
                "roles",
                context.getPrincipal().getAuthorities().stream()
                    .map(GrantedAuthority::getAuthority)
                    .sorted()
                    .toList());
  }

  @Bean
  WebSecurityCustomizer tests() {
    return web -> web.ignoring().requestMatchers("/test/**");
  }
}
