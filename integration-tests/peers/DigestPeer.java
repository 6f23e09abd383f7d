import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.NameCallback;
import javax.security.auth.callback.PasswordCallback;
import javax.security.sasl.AuthorizeCallback;
import javax.security.sasl.RealmCallback;
import javax.security.sasl.Sasl;
import javax.security.sasl.SaslClient;
import javax.security.sasl.SaslServer;

/**
 * DIGEST-MD5 of Java over standard input and output, in base64.
 *
 * <p>Arguments: client or server, the realm, the user, the password, the quality of protection, the cipher.
 *
 * <p>Each line that comes is a token and is answered with one, until the handshake is over, which it says with "done". Then
 * "wrap TEXT" is answered with a protected message, and "unwrap MESSAGE" with what is in it; both without the length.
 */
public final class DigestPeer {
    private interface Step {
        byte[] take(byte[] token) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        String realm = arguments[1];
        String user = arguments[2];
        char[] password = arguments[3].toCharArray();
        Map<String, String> properties = new HashMap<>();
        properties.put(Sasl.QOP, arguments[4]);
        properties.put("com.sun.security.sasl.digest.realm", realm);
        properties.put("com.sun.security.sasl.digest.utf8", "true");
        if (!arguments[5].isEmpty()) {
            properties.put("com.sun.security.sasl.digest.cipher", arguments[5]);
            properties.put("org.openjdk.security.sasl.digest.cipher", arguments[5]);
        }
        // Of the ciphers, Java chooses by strength.
        String strength = arguments[5].equals("3des") || arguments[5].equals("rc4") ? "high"
            : arguments[5].endsWith("40") ? "low" : "medium";
        properties.put(Sasl.STRENGTH, strength);
        var handler = (javax.security.auth.callback.CallbackHandler) callbacks -> {
            for (Callback callback : callbacks) {
                if (callback instanceof NameCallback name) {
                    name.setName(user);
                } else if (callback instanceof PasswordCallback secret) {
                    secret.setPassword(password);
                } else if (callback instanceof RealmCallback asked) {
                    asked.setText(asked.getDefaultText() == null ? realm : asked.getDefaultText());
                } else if (callback instanceof AuthorizeCallback authorize) {
                    authorize.setAuthorized(authorize.getAuthenticationID().equals(authorize.getAuthorizationID()));
                }
            }
        };
        var input = new BufferedReader(new InputStreamReader(System.in));
        if (arguments[0].equals("client")) {
            SaslClient client =
                Sasl.createSaslClient(new String[] {"DIGEST-MD5"}, null, "imap", "localhost", properties, handler);
            run(input, client::evaluateChallenge, client::isComplete);
            messages(input, client::wrap, client::unwrap);
        } else {
            SaslServer server = Sasl.createSaslServer("DIGEST-MD5", "imap", "localhost", properties, handler);
            System.out.println(Base64.getEncoder().encodeToString(server.evaluateResponse(new byte[0])));
            run(input, server::evaluateResponse, server::isComplete);
            messages(input, server::wrap, server::unwrap);
        }
    }

    private static void run(BufferedReader input, Step step, java.util.function.BooleanSupplier isComplete)
        throws Exception {
        while (!isComplete.getAsBoolean()) {
            byte[] answer = step.take(Base64.getDecoder().decode(input.readLine()));
            System.out.println(answer == null ? "" : Base64.getEncoder().encodeToString(answer));
        }
        System.out.println("done");
    }

    private interface Protection {
        byte[] apply(byte[] message, int offset, int length) throws Exception;
    }

    private static void messages(BufferedReader input, Protection wrap, Protection unwrap) throws Exception {
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            byte[] bytes = Base64.getDecoder().decode(words.length > 1 ? words[1] : "");
            byte[] result = (words[0].equals("wrap") ? wrap : unwrap).apply(bytes, 0, bytes.length);
            System.out.println(Base64.getEncoder().encodeToString(result));
        }
    }
}
