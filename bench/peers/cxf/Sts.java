import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.ws.rs.container.ContainerRequestContext;
import javax.ws.rs.container.ContainerRequestFilter;
import javax.ws.rs.core.Response;

import org.apache.cxf.common.security.SimplePrincipal;
import org.apache.cxf.interceptor.security.DefaultSecurityContext;
import org.apache.cxf.jaxrs.JAXRSServerFactoryBean;
import org.apache.cxf.jaxrs.utils.JAXRSUtils;
import org.apache.cxf.jaxws.EndpointImpl;
import org.apache.cxf.security.SecurityContext;
import org.apache.cxf.sts.SignatureProperties;
import org.apache.cxf.sts.StaticSTSProperties;
import org.apache.cxf.sts.cache.DefaultInMemoryTokenStore;
import org.apache.cxf.sts.operation.TokenIssueOperation;
import org.apache.cxf.sts.operation.TokenValidateOperation;
import org.apache.cxf.sts.operation.AbstractOperation;
import org.apache.cxf.sts.rest.RESTSecurityTokenServiceImpl;
import org.apache.cxf.sts.service.StaticService;
import org.apache.cxf.sts.token.provider.SAMLTokenProvider;
import org.apache.cxf.sts.token.provider.jwt.JWTTokenProvider;
import org.apache.cxf.sts.token.validator.jwt.JWTTokenValidator;
import org.apache.cxf.ws.security.sts.provider.SecurityTokenServiceProvider;
import org.apache.cxf.ws.security.tokenstore.TokenStore;
import org.apache.cxf.ws.security.wss4j.WSS4JInInterceptor;
import org.apache.wss4j.common.crypto.Merlin;
import org.apache.wss4j.common.ext.WSPasswordCallback;

/** Apache CXF's STS on embedded Jetty: its own providers and validator, REST and WS-Trust. */
public final class Sts {
    private static final String ALIAS = "bench";
    private static final String RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";

    private Sts() {
    }

    /** Arguments: the port, a JKS key store and its password, a user and the user's password. */
    public static void main(String[] arguments) throws Exception {
        String address = "http://127.0.0.1:" + arguments[0];
        Passwords passwords = new Passwords(arguments[2], arguments[3], arguments[4]);
        TokenStore store = new DefaultInMemoryTokenStore();
        StaticSTSProperties properties = properties(arguments[1], passwords);
        TokenIssueOperation issue = prepared(new TokenIssueOperation(), properties, store);
        TokenValidateOperation validate = prepared(new TokenValidateOperation(), properties, store);

        RESTSecurityTokenServiceImpl rest = new RESTSecurityTokenServiceImpl();
        rest.setIssueSingleOperation(issue);
        rest.setValidateOperation(validate);
        JAXRSServerFactoryBean server = new JAXRSServerFactoryBean();
        server.setServiceBean(rest);
        server.setProvider(new BasicAuthentication(passwords));
        server.setAddress(address + "/rest");
        server.create();

        SecurityTokenServiceProvider soap = new SecurityTokenServiceProvider();
        soap.setIssueOperation(issue);
        soap.setIssueSingleOperation(issue);
        soap.setValidateOperation(validate);
        EndpointImpl endpoint = new EndpointImpl(soap);
        Map<String, Object> security = new HashMap<>();
        security.put("action", "UsernameToken");
        security.put("passwordType", "PasswordText");
        security.put("passwordCallbackRef", passwords);
        endpoint.getInInterceptors().add(new WSS4JInInterceptor(security));
        endpoint.publish(address + "/soap");
        System.out.println("ready");
    }

    private static StaticSTSProperties properties(String file, Passwords passwords)
            throws Exception {
        KeyStore keys = KeyStore.getInstance("JKS");
        try (FileInputStream stream = new FileInputStream(file)) {
            keys.load(stream, passwords.store.toCharArray());
        }
        Merlin crypto = new Merlin();
        crypto.setKeyStore(keys);
        SignatureProperties signature = new SignatureProperties();
        signature.setSignatureAlgorithm(RSA_SHA256);
        StaticSTSProperties properties = new StaticSTSProperties();
        properties.setSignatureCrypto(crypto);
        properties.setSignatureUsername(ALIAS);
        properties.setSignatureProperties(signature);
        properties.setCallbackHandler(passwords);
        properties.setIssuer("https://cxf.bench.example");
        properties.configureProperties();
        return properties;
    }

    private static <T extends AbstractOperation> T prepared(
            T operation, StaticSTSProperties properties, TokenStore store) {
        StaticService service = new StaticService();
        service.setEndpoints(List.of("https://sp\\.bench\\.example.*"));
        operation.setServices(List.of(service));
        operation.setTokenProviders(List.of(new JWTTokenProvider(), new SAMLTokenProvider()));
        operation.setTokenValidators(List.of(new JWTTokenValidator()));
        operation.setStsProperties(properties);
        operation.setTokenStore(store);
        return operation;
    }

    /** The key store's password and the user's, for signing and for the user name token. */
    private static final class Passwords implements CallbackHandler {
        private final String store;
        private final String user;
        private final String password;

        Passwords(String store, String user, String password) {
            this.store = store;
            this.user = user;
            this.password = password;
        }

        boolean matches(String header) {
            byte[] text = (user + ":" + password).getBytes(StandardCharsets.UTF_8);
            return ("Basic " + Base64.getEncoder().encodeToString(text)).equals(header);
        }

        @Override
        public void handle(Callback[] callbacks) {
            for (Callback each : callbacks) {
                WSPasswordCallback asked = (WSPasswordCallback) each;
                if (asked.getUsage() == WSPasswordCallback.SIGNATURE) {
                    asked.setPassword(store);
                } else if (user.equals(asked.getIdentifier())) {
                    asked.setPassword(password);
                }
            }
        }
    }

    /** HTTP Basic: the user that the token is about. */
    private static final class BasicAuthentication implements ContainerRequestFilter {
        private final Passwords passwords;

        BasicAuthentication(Passwords passwords) {
            this.passwords = passwords;
        }

        @Override
        public void filter(ContainerRequestContext context) {
            if (passwords.matches(context.getHeaderString("Authorization"))) {
                JAXRSUtils.getCurrentMessage().put(
                    SecurityContext.class,
                    new DefaultSecurityContext(new SimplePrincipal(passwords.user), null));
            } else {
                context.abortWith(Response.status(Response.Status.UNAUTHORIZED).build());
            }
        }
    }
}
