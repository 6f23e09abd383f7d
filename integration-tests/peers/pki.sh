#!/usr/bin/env bash
# pki.sh FOLDER: the certificates of the tests against old protocols, with OpenSSL 3 and, where they are there, the
# databases of NSS.
#
#   root.pem                        RSA 2048, signs everything else
#   server-{rsa,rsa1024,rsa512,dsa,ecdsa}.{pem,key}   localhost; RSA 2048, 1024, 512, DSA 1024 with q of 160 bits, P-256
#   client-{rsa,dsa,ecdsa}.{pem,key}
#   *.sha256                        the fingerprint of each
#   dh1024.pem                      parameters for DHE
#   nss/                            all of them, under the same names, without a password
#
# Keys are PKCS#8. What policies of today accept is signed with SHA-256, the rest with SHA-1.
set -euo pipefail
folder=${1:?the folder to write to}
mkdir -p "$folder"
cd "$folder"
unset OPENSSL_CONF

cat > extensions.cnf <<'END'
[req]
distinguished_name = name
prompt = no
[name]
CN = OpenSSPI Legacy Root
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[client]
basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
END

key() { openssl genpkey -quiet "$@" 2>> openssl.log; }

# leaf NAME ROLE COMMON-NAME HASH: certifies NAME.key. To NSS certificates of one subject have one name: hence the OU.
leaf() {
    openssl req -new "-$4" -key "$1.key" -subj "/CN=$3/OU=$1" -out "$1.csr"
    openssl x509 -req "-$4" -days 3650 -in "$1.csr" -CA root.pem -CAkey root.key -CAcreateserial \
        -extfile extensions.cnf -extensions "$2" -out "$1.pem" 2>> openssl.log
    openssl x509 -in "$1.pem" -outform DER | sha256sum | cut -d " " -f 1 > "$1.sha256"
    rm "$1.csr"
}

key -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out root.key
openssl req -x509 -new -sha256 -days 3650 -config extensions.cnf -extensions root -key root.key -out root.pem

# q of 160 bits: with 1024 bits of p alone OpenSSL 3 makes it 224, which Java refuses.
key -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:1024 -pkeyopt dsa_paramgen_q_bits:160 -out dsa.param
openssl dhparam -out dh1024.pem 1024 2>> openssl.log
for name in server-rsa client-rsa; do key -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out $name.key; done
key -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out server-rsa1024.key
key -algorithm RSA -pkeyopt rsa_keygen_bits:512 -out server-rsa512.key
for name in server-dsa client-dsa; do key -paramfile dsa.param -out $name.key; done
for name in server-ecdsa client-ecdsa; do
    key -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:named_curve -out $name.key
done
leaf server-rsa server localhost sha256
leaf server-ecdsa server localhost sha256
leaf server-rsa1024 server localhost sha1
leaf server-rsa512 server localhost sha1
leaf server-dsa server localhost sha1
leaf client-rsa client alice sha256
leaf client-ecdsa client alice sha256
leaf client-dsa client alice sha1

if command -v certutil pk12util > nss.log 2>&1; then
    mkdir -p nss
    certutil -N -d sql:nss --empty-password
    certutil -A -d sql:nss -n root -t CT,C,C -i root.pem
    for name in server-rsa server-rsa1024 server-rsa512 server-dsa server-ecdsa client-rsa client-dsa client-ecdsa; do
        openssl pkcs12 -export -inkey $name.key -in $name.pem -name $name -passout pass:unused -out $name.p12
        pk12util -i $name.p12 -d sql:nss -W unused -K '' >> nss.log
        rm $name.p12
    done
fi
