package example;

import com.nimbusds.jose.EncryptionMethod;
import com.nimbusds.jose.JWEAlgorithm;
import com.nimbusds.jose.JWEEncrypter;
import com.nimbusds.jose.JWEHeader;
import com.nimbusds.jose.JWEObject;
import com.nimbusds.jose.Payload;
import com.nimbusds.jose.crypto.ECDHDecrypter;
import com.nimbusds.jose.crypto.ECDHEncrypter;
import com.nimbusds.jose.crypto.RSAEncrypter;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyType;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import java.net.URI;
import java.util.HashMap;
import java.util.Map;

/** Encrypts requests to the broker (RFC 7516), and opens the answers to them. */
final class Sealer {

    static final String CONTENT_TYPE = "application/jose";

    private static final EncryptionMethod CONTENT_ENCRYPTION = EncryptionMethod.A256GCM;

    private final JWK broker;
    private final ECKey own;

    Sealer(String jwksUrl) throws Exception {
        broker = chosen(JWKSet.load(URI.create(jwksUrl).toURL()));
        own = new ECKeyGenerator(Curve.P_256)
                .keyUse(KeyUse.ENCRYPTION)
                .algorithm(JWEAlgorithm.ECDH_ES)
                .keyIDFromThumbprint(true)
                .generate();
    }

    String seal(Map<String, Object> request) throws Exception {
        Map<String, Object> inside = new HashMap<>(request);
        inside.put("reply_jwk", own.toPublicJWK().toJSONObject());
        boolean elliptic = broker.getKeyType().equals(KeyType.EC);
        JWEHeader header =
                new JWEHeader.Builder(
                                elliptic ? JWEAlgorithm.ECDH_ES : JWEAlgorithm.RSA_OAEP_256,
                                CONTENT_ENCRYPTION)
                        .keyID(broker.getKeyID())
                        .build();
        JWEEncrypter encrypter =
                elliptic
                        ? new ECDHEncrypter(broker.toECKey())
                        : new RSAEncrypter(broker.toRSAKey());
        JWEObject sealed = new JWEObject(header, new Payload(inside));
        sealed.encrypt(encrypter);
        return sealed.serialize();
    }

    String open(String answer) throws Exception {
        JWEObject sealed = JWEObject.parse(answer);
        if (!sealed.getHeader().getAlgorithm().equals(JWEAlgorithm.ECDH_ES)
                || !sealed.getHeader().getEncryptionMethod().equals(CONTENT_ENCRYPTION)) {
            throw new IllegalArgumentException("the answer is encrypted in another way");
        }
        sealed.decrypt(new ECDHDecrypter(own));
        return sealed.getPayload().toString();
    }

    private static JWK chosen(JWKSet keys) {
        return keys.getKeys().stream()
                .filter(key -> KeyUse.ENCRYPTION.equals(key.getKeyUse()) && key.getKeyID() != null)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no key to encrypt to"));
    }
}
