import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * A TLS peer for tests, on JSSE: an echo server, or a client that checks the echo. Called as {@code JavaPeer
 * server|client name=value ...}; the options are those of pattern.py, and {@code alpn=A,B}; and of a client {@code again=N},
 * so many handshakes more with the data behind each, of a server {@code ask=yes}: one more that requires a certificate, behind
 * the first data.
 */
public final class JavaPeer {
    /** So many bytes are on their way at most: with more, both ends could wait for each other to read. */
    private static final int WINDOW = 65_536;

    private static final char[] NO_PASSWORD = "unused".toCharArray();

    private final Map<String, String> options = new HashMap<>();
    private final SSLContext context;

    private JavaPeer(String[] arguments) throws GeneralSecurityException, IOException {
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            if (equals > 0) {
                options.put(argument.substring(0, equals), argument.substring(equals + 1));
            }
        }
        context = SSLContext.getInstance("TLS");
        context.init(keyManagers(), trustManagers(), null);
    }

    public static void main(String[] arguments) throws Exception {
        JavaPeer peer = new JavaPeer(arguments);
        if (arguments[0].equals("server")) {
            peer.serve();
        } else {
            System.exit(peer.connect() ? 0 : 1);
        }
    }

    // Server

    private void serve() throws IOException {
        SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
                .createServerSocket(number("port", 0), 128, InetAddress.getByName("127.0.0.1"));
        print("{\"event\":\"listening\",\"port\":" + listener.getLocalPort() + "}");
        while (true) {
            SSLSocket socket = (SSLSocket) listener.accept();
            Thread thread = new Thread(() -> echo(socket));
            thread.setDaemon(true);
            thread.start();
        }
    }

    private void echo(SSLSocket socket) {
        Report report = new Report();
        try (socket) {
            socket.setTcpNoDelay(true);
            socket.setSoTimeout(60_000);
            SSLParameters parameters = parameters(socket, ciphers());
            String clients = options.getOrDefault("clients", "");
            if (clients.equals("require")) {
                parameters.setNeedClientAuth(true);
            } else if (clients.equals("request")) {
                parameters.setWantClientAuth(true);
            }
            socket.setSSLParameters(parameters);
            long before = System.currentTimeMillis();
            socket.startHandshake();
            report.negotiated(socket);
            // A session is as old as the connection that made it.
            report.resumed = socket.getSession().getCreationTime() < before;
            InputStream in = socket.getInputStream();
            OutputStream out = socket.getOutputStream();
            byte[] buffer = new byte[WINDOW];
            int count;
            boolean asks = options.getOrDefault("ask", "").equals("yes");
            while ((count = in.read(buffer)) >= 0) {
                if (asks) {
                    asks = false;
                    socket.setNeedClientAuth(true);
                    socket.startHandshake();
                }
                out.write(buffer, 0, count);
                out.flush();
                report.bytes += count;
            }
            report.negotiated(socket);
            report.cleanClose = true;
        } catch (IOException | RuntimeException error) {
            report.error = error;
        }
        report.print();
    }

    // Client

    private boolean connect() throws InterruptedException {
        if (!options.getOrDefault("each", "").equals("yes")) {
            return connect(ciphers());
        }
        boolean succeeded = true;
        for (String cipher : ciphers()) {
            succeeded &= connect(new String[] {cipher});
        }
        return succeeded;
    }

    /** The rounds with one offer of ciphers; none for those of the library. */
    private boolean connect(String[] ciphers) throws InterruptedException {
        SSLSession previous = null;
        for (int round = 0; round < number("rounds", 1); round++) {
            Report report = new Report();
            try (SSLSocket socket = socket(ciphers)) {
                socket.startHandshake();
                report.negotiated(socket);
                SSLSession session = socket.getSession();
                report.resumed = previous != null && session.getCreationTime() == previous.getCreationTime();
                previous = session;
                report.bytes = exchange(socket);
                for (int again = 0; again < number("again", 0); again++) {
                    socket.startHandshake();
                    report.bytes += exchange(socket);
                    report.negotiated(socket);
                }
                // Sends close_notify and, if the server answers with its own, reads that.
                socket.shutdownOutput();
                try {
                    report.cleanClose = socket.getInputStream().read() < 0;
                } catch (IOException notAnswered) {
                    report.cleanClose = false;
                }
            } catch (IOException | RuntimeException error) {
                report.error = error;
            }
            report.print();
            if (report.error != null) {
                return false;
            }
            // Creation times are milliseconds: two sessions must not share one.
            Thread.sleep(5);
        }
        return true;
    }

    private SSLSocket socket(String[] ciphers) throws IOException {
        String name = options.get("name");
        int port = number("port", 0);
        Socket plain = new Socket(InetAddress.getByName("127.0.0.1"), port);
        plain.setTcpNoDelay(true);
        plain.setSoTimeout(20_000);
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, name, port, true);
        SSLParameters parameters = parameters(socket, ciphers);
        // Left alone, JSSE sends no name that has no dot.
        parameters.setServerNames(List.of(new SNIHostName(name)));
        if (options.containsKey("ca")) {
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
        }
        socket.setSSLParameters(parameters);
        return socket;
    }

    /** Sends the pattern and checks the echo; the number of bytes that came back right. */
    private long exchange(SSLSocket socket) throws IOException {
        long total = Long.parseLong(options.getOrDefault("bytes", "1"));
        long seed = Long.parseLong(options.getOrDefault("seed", "1"));
        String[] range = options.getOrDefault("write", "16384").split("-");
        int first = Integer.parseInt(range[0]);
        int last = Integer.parseInt(range[range.length - 1]);
        int write = first;
        InputStream in = socket.getInputStream();
        OutputStream out = socket.getOutputStream();
        byte[] buffer = new byte[WINDOW];
        long sent = 0;
        long received = 0;
        while (received < total) {
            while (sent < total) {
                int count = (int) Math.min(Math.min(write, WINDOW), total - sent);
                // No write is cut short to fit: it waits until there is room for all of it.
                if (count > WINDOW - (sent - received)) {
                    break;
                }
                for (int i = 0; i < count; i++) {
                    buffer[i] = pattern(seed, sent + i);
                }
                out.write(buffer, 0, count);
                out.flush();
                sent += count;
                write = write == last ? first : write + 1;
            }
            int count = in.read(buffer);
            if (count < 0) {
                throw new IOException("closed after " + received + " of " + total + " bytes");
            }
            for (int i = 0; i < count; i++) {
                byte expected = pattern(seed, received + i);
                if (buffer[i] != expected) {
                    throw new IOException("byte " + (received + i) + " is " + (buffer[i] & 255)
                            + " where the pattern has " + (expected & 255));
                }
            }
            received += count;
        }
        return received;
    }

    private static byte pattern(long seed, long i) {
        return (byte) (31 * i + i / 251 + seed);
    }

    // What both need

    private String[] ciphers() {
        return options.containsKey("ciphers") ? options.get("ciphers").split(",") : new String[0];
    }

    private SSLParameters parameters(SSLSocket socket, String[] ciphers) {
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setProtocols(options.getOrDefault("version", "TLSv1.2,TLSv1.3").split(","));
        if (ciphers.length > 0) {
            parameters.setCipherSuites(ciphers);
        }
        if (options.containsKey("alpn")) {
            parameters.setApplicationProtocols(options.get("alpn").split(","));
        }
        return parameters;
    }

    private int number(String name, int otherwise) {
        return Integer.parseInt(options.getOrDefault(name, String.valueOf(otherwise)));
    }

    private KeyManager[] keyManagers() throws GeneralSecurityException, IOException {
        if (!options.containsKey("cert")) {
            return new KeyManager[0];
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        Certificate[] chain = certificates(options.get("cert")).toArray(new Certificate[0]);
        store.setKeyEntry("own", privateKey(options.get("key")), NO_PASSWORD, chain);
        KeyManagerFactory factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, NO_PASSWORD);
        return factory.getKeyManagers();
    }

    private TrustManager[] trustManagers() throws GeneralSecurityException, IOException {
        if (!options.containsKey("ca")) {
            return new TrustManager[] {new TrustEverybody()};
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        for (X509Certificate root : certificates(options.get("ca"))) {
            store.setCertificateEntry("root " + store.size(), root);
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        return factory.getTrustManagers();
    }

    private static List<X509Certificate> certificates(String file) throws GeneralSecurityException, IOException {
        List<X509Certificate> certificates = new ArrayList<>();
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                certificates.add((X509Certificate) certificate);
            }
        }
        return certificates;
    }

    private static PrivateKey privateKey(String file) throws GeneralSecurityException, IOException {
        Matcher pem = Pattern.compile("-----BEGIN PRIVATE KEY-----(.*)-----END PRIVATE KEY-----", Pattern.DOTALL)
                .matcher(Files.readString(Path.of(file)));
        if (!pem.find()) {
            throw new IOException(file + " is no PKCS#8 key");
        }
        PKCS8EncodedKeySpec encoded = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pem.group(1)));
        for (String algorithm : new String[] {"EC", "RSA", "DSA", "Ed25519"}) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(encoded);
            } catch (InvalidKeySpecException another) {
                continue;
            }
        }
        throw new IOException(file + " is a key of no kind that is known here");
    }

    private static synchronized void print(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** One connection. */
    private static final class Report {
        private String version;
        private String cipher;
        private String alpn;
        private String peerSha256;
        private boolean resumed;
        private boolean cleanClose;
        private long bytes;
        private Exception error;

        private void negotiated(SSLSocket socket) throws IOException {
            SSLSession session = socket.getSession();
            version = session.getProtocol();
            cipher = session.getCipherSuite();
            String protocol = socket.getApplicationProtocol();
            alpn = protocol == null || protocol.isEmpty() ? null : protocol;
            try {
                byte[] leaf = session.getPeerCertificates()[0].getEncoded();
                peerSha256 = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(leaf));
            } catch (SSLPeerUnverifiedException none) {
                peerSha256 = null;
            } catch (GeneralSecurityException unreadable) {
                throw new SSLException(unreadable);
            }
        }

        private void print() {
            JavaPeer.print("{\"event\":\"connection\",\"version\":" + quoted(version)
                    + ",\"cipher\":" + quoted(cipher) + ",\"alpn\":" + quoted(alpn)
                    + ",\"resumed\":" + resumed + ",\"peer_sha256\":" + quoted(peerSha256)
                    + ",\"tls_unique\":null,\"bytes\":" + bytes + ",\"clean_close\":" + cleanClose
                    + ",\"error\":" + quoted(error == null ? null : error.toString()) + "}");
        }

        private static String quoted(String text) {
            if (text == null) {
                return "null";
            }
            StringBuilder json = new StringBuilder("\"");
            for (char c : text.toCharArray()) {
                if (c == '"' || c == '\\') {
                    json.append('\\').append(c);
                } else if (c < ' ') {
                    json.append(String.format("\\u%04x", (int) c));
                } else {
                    json.append(c);
                }
            }
            return json.append('"').toString();
        }
    }

    /** For a client that was given no root, and a server that asks for no certificates. */
    private static final class TrustEverybody extends X509ExtendedTrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, javax.net.ssl.SSLEngine engine) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, javax.net.ssl.SSLEngine engine) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
