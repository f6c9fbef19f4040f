import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;

/** Turns a PEM bundle into a trust store: `java TrustStore.java bundle.pem trust.p12`; keytool reads one certificate at a time. */
class TrustStore {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (FileInputStream bundle = new FileInputStream(args[0]); FileOutputStream file = new FileOutputStream(args[1])) {
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(bundle)) {
                store.setCertificateEntry("site-" + store.size(), certificate);
            }
            store.store(file, "changeit".toCharArray());
        }
    }
}
