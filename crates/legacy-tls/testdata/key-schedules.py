#!/usr/bin/env python3
"""Writes key-schedules.txt: `python3 key-schedules.py > key-schedules.txt`.

Nothing of it is this project's own code: the hashes are Python's hashlib, and with `openssl` in the path each expansion of TLS
is compared with that of OpenSSL 3 (`openssl kdf TLS1-PRF`). A suite is its number, and what the specifications say of it.

Spec: SSL30 section 6; TLS10 and TLS11 sections 5, 6.3 and 8.1; TLS12 sections 5, 6.3 and 8.1; EXPORT56 section 3;
GCM-SUITES section 3.
"""

import hashlib
import hmac
import shutil
import subprocess

CLIENT = hashlib.sha256(b"client random").digest()
SERVER = hashlib.sha256(b"server random").digest()
MESSAGES = b"handshake transcript stand-in bytes for Finished vectors"

# Bytes of MAC secret, of key material, of the key itself if it is longer (export), and of the initialization vector.
NULL_MD5, NULL_SHA = (16, 0, 0, 0), (20, 0, 0, 0)
RC4_MD5, RC4_SHA = (16, 16, 16, 0), (20, 16, 16, 0)
DES, TDES = (20, 8, 8, 8), (20, 24, 24, 8)
AES128, AES256 = (20, 16, 16, 16), (20, 32, 32, 16)
AES128_SHA256, AES256_SHA256, AES256_SHA384 = (32, 16, 16, 16), (32, 32, 32, 16), (48, 32, 32, 16)
# The salt of a nonce takes the place of an initialization vector.
GCM128, GCM256 = (0, 16, 16, 4), (0, 32, 32, 4)

EXPORT = {
    0x0064: (20, 7, 16, 0), 0x0062: (20, 8, 8, 8), 0x0063: (20, 8, 8, 8),
    0x0003: (16, 5, 16, 0), 0x0006: (16, 5, 16, 8),
}
SINGLE_DES = {0x0009: DES, 0x0012: DES, 0x0015: DES}
ANY = {
    0x0001: NULL_MD5, 0x0002: NULL_SHA, 0x0004: RC4_MD5, 0x0005: RC4_SHA,
    0x000A: TDES, 0x0013: TDES, 0x0016: TDES,
    0x002F: AES128, 0x0032: AES128, 0x0033: AES128, 0x0035: AES256, 0x0038: AES256, 0x0039: AES256,
}
CURVES = {
    0xC007: RC4_SHA, 0xC011: RC4_SHA, 0xC008: TDES, 0xC012: TDES,
    0xC009: AES128, 0xC013: AES128, 0xC00A: AES256, 0xC014: AES256,
}
SHA256 = {
    0x003C: AES128_SHA256, 0x0040: AES128_SHA256, 0x0067: AES128_SHA256, 0xC023: AES128_SHA256, 0xC027: AES128_SHA256,
    0x003D: AES256_SHA256, 0x006A: AES256_SHA256, 0x006B: AES256_SHA256,
    0x009C: GCM128, 0x009E: GCM128, 0x00A2: GCM128, 0xC02B: GCM128, 0xC02F: GCM128,
}
SHA384 = {
    0xC024: AES256_SHA384, 0xC028: AES256_SHA384,
    0x009D: GCM256, 0x009F: GCM256, 0x00A3: GCM256, 0xC02C: GCM256, 0xC030: GCM256,
}

# The version, the hash of TLS 1.2's PRF, its suites.
SCHEDULES = [
    (0x0300, None, ANY | SINGLE_DES | EXPORT),
    (0x0301, None, ANY | SINGLE_DES | EXPORT | CURVES),
    (0x0302, None, ANY | SINGLE_DES | CURVES),
    (0x0303, "sha256", ANY | CURVES | SHA256),
    (0x0303, "sha384", SHA384),
]


def md5(*parts):
    return hashlib.md5(b"".join(parts)).digest()


def sha1(*parts):
    return hashlib.sha1(b"".join(parts)).digest()


def p_hash(name, secret, seed, length):
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, name)
        out += hmac.digest(secret, a + seed, name)
    return out[:length]


def openssl(name, secret, seed, length):
    options = [f"digest:{name}", f"hexsecret:{secret.hex()}", f"hexseed:{seed.hex()}"]
    options = [word for option in options for word in ("-kdfopt", option)]
    command = ["openssl", "kdf", "-keylen", str(length), *options, "TLS1-PRF"]
    return bytes.fromhex(subprocess.run(command, check=True, capture_output=True, text=True).stdout.replace(":", ""))


def prf(name, secret, label, seed, length):
    if not length:
        return b""
    seed = label + seed
    if name:
        out = p_hash(name, secret, seed, length)
    else:
        half = (len(secret) + 1) // 2
        pairs = zip(p_hash("md5", secret[:half], seed, length), p_hash("sha1", secret[len(secret) - half:], seed, length))
        out = bytes(one ^ other for one, other in pairs)
    # An empty secret is none to OpenSSL.
    if secret and shutil.which("openssl"):
        assert out == openssl(name or "MD5-SHA1", secret, seed, length)
    return out


def ssl3(secret, seed, length):
    rounds = (length + 15) // 16
    return b"".join(md5(secret, sha1(bytes([65 + i]) * (i + 1), secret, seed)) for i in range(rounds))[:length]


def expand(version, name, secret, label, seed, length):
    return ssl3(secret, seed, length) if version == 0x0300 else prf(name, secret, label, seed, length)


def ssl3_hash(hash_of, pads, master, sender):
    inner = hash_of(MESSAGES, sender, master, b"\x36" * pads)
    return hash_of(master, b"\x5c" * pads, inner)


def ssl3_hashes(master, sender):
    return ssl3_hash(md5, 48, master, sender) + ssl3_hash(sha1, 40, master, sender)


def finished(version, name, master, side):
    if version == 0x0300:
        return ssl3_hashes(master, {"client": b"CLNT", "server": b"SRVR"}[side])
    hashed = hashlib.new(name, MESSAGES).digest() if name else md5(MESSAGES) + sha1(MESSAGES)
    return prf(name, master, f"{side} finished".encode(), hashed, 12)


def keys(version, name, code, master, suite):
    mac, material, key_len, iv_len = suite
    block = expand(version, name, master, b"key expansion", SERVER + CLIENT, 2 * (mac + material + iv_len))
    cut = iter(block)
    take = lambda length: bytes(next(cut) for _ in range(length))
    macs, written, ivs = [take(mac) for _ in "CS"], [take(material) for _ in "CS"], [take(iv_len) for _ in "CS"]
    if code in EXPORT:
        seeds = [CLIENT + SERVER, SERVER + CLIENT]
        if version == 0x0300:
            written = [md5(key, seed)[:key_len] for key, seed in zip(written, seeds)]
            ivs = [md5(seed)[:iv_len] for seed in seeds]
        else:
            labels = [b"client write key", b"server write key"]
            seed = CLIENT + SERVER
            written = [prf(name, key, label, seed, key_len) for key, label in zip(written, labels)]
            both = prf(name, b"", b"IV block", seed, 2 * iv_len)
            ivs = [both[:iv_len], both[iv_len:]]
    elif version > 0x0301 and iv_len != 4:
        # Each record brings its own.
        ivs = [b"", b""]
    return [*macs, *written, *ivs]


HEAD = """\
# Key schedules computed with an independent Python implementation (hashlib, hmac), key-schedules.py beside this file, which
# compares every expansion of TLS with OpenSSL 3's (openssl kdf TLS1-PRF).
#
# version VERSION CLIENT-RANDOM SERVER-RANDOM PREMASTER MASTER SUITE     SUITE: one whose PRF it is
# finished MESSAGES CLIENT SERVER
# verify MD5-AND-SHA1 of the same messages, as CertificateVerify signs them
# suite CODE CLIENT-MAC SERVER-MAC CLIENT-KEY SERVER-KEY CLIENT-IV SERVER-IV     `-`: empty"""


def main():
    print(HEAD)
    for version, name, suites in SCHEDULES:
        hexed = lambda *fields: " ".join(field.hex() or "-" for field in fields)
        filler = [hashlib.sha256(b"premaster %d %d" % (version, i)).digest() for i in range(2)]
        premaster = version.to_bytes(2, "big") + b"".join(filler)[:46]
        master = expand(version, name, premaster, b"master secret", CLIENT + SERVER, 48)
        print(f"version {version:04x} {hexed(CLIENT, SERVER, premaster, master)} {min(suites):04x}")
        print(f"finished {hexed(MESSAGES, *(finished(version, name, master, side) for side in ('client', 'server')))}")
        if version == 0x0300:
            print(f"verify {hexed(ssl3_hashes(master, b''))}")
        elif not name:
            print(f"verify {hexed(md5(MESSAGES) + sha1(MESSAGES))}")
        for code, suite in sorted(suites.items()):
            print(f"suite {code:04x} {hexed(*keys(version, name, code, master, suite))}")


if __name__ == "__main__":
    main()
