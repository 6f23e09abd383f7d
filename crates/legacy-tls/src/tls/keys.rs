//! From the master secret to the keys of both directions.
//!
//! Spec: TLS12 section 6.3; SSL30 section 6.2.2.

use zeroize::Zeroizing;

use crate::config::Policy;
use crate::record::{Bulk, CbcIv, Keys, MacKind};
use crate::session::MasterSecret;
use crate::tls::cipher_suites::SuiteRow;
use crate::tls::versions::Rules;

/// The randoms of both hellos.
#[derive(Clone, Copy)]
pub(crate) struct Randoms {
    pub(crate) client: [u8; 32],
    pub(crate) server: [u8; 32],
}

/// What an export suite stretches: material in, keys and IVs out, each already as long as it must be.
pub(crate) struct ExportKeys<'a> {
    pub(crate) client_material: &'a [u8],
    pub(crate) server_material: &'a [u8],
    pub(crate) client_key: &'a mut Zeroizing<Vec<u8>>,
    pub(crate) server_key: &'a mut Zeroizing<Vec<u8>>,
    pub(crate) client_iv: &'a mut Zeroizing<Vec<u8>>,
    pub(crate) server_iv: &'a mut Zeroizing<Vec<u8>>,
}

/// The secrets of one direction.
#[derive(Default)]
pub(crate) struct DirectionKeys {
    mac_secret: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    iv: Zeroizing<Vec<u8>>,
}

/// The secrets of both directions.
pub(crate) struct ConnectionKeys {
    pub(crate) client: DirectionKeys,
    pub(crate) server: DirectionKeys,
}

/// The length of a cipher's key and of the IV that comes out of the key block, in bytes.
fn lengths(rules: &Rules, bulk: Bulk) -> (usize, usize) {
    match bulk {
        Bulk::Null => (0, 0),
        Bulk::Rc4 => (16, 0),
        Bulk::Cbc(cipher) => {
            let iv = if rules.cbc_iv == CbcIv::Chained { cipher.block_len() } else { 0 };
            (cipher.key_len(), iv)
        }
        // The salt. Spec: GCM-SUITES section 3.
        Bulk::Aead(aead) => (aead.key_len(), 4),
    }
}

impl ConnectionKeys {
    /// Derives them.
    pub(crate) fn derive(rules: &Rules, suite: &SuiteRow, master: &MasterSecret, randoms: &Randoms) -> Self {
        let (key_len, iv_len) = lengths(rules, suite.bulk);
        let mac_len = suite.mac.map_or(0, crypto::hash::Hash::output_len);
        let export = suite.key_exchange.is_export();
        let block_iv_len = if export { 0 } else { iv_len };
        let mut block = Zeroizing::new(vec![0; 2 * (mac_len + suite.key_material + block_iv_len)]);
        (rules.key_block)(suite, master, randoms, &mut block);
        let mut rest = block.as_slice();
        let mut next = |len: usize| {
            let (taken, left) = rest.split_at_checked(len).unwrap_or_default();
            rest = left;
            Zeroizing::new(taken.to_vec())
        };
        let (client_mac, server_mac) = (next(mac_len), next(mac_len));
        let (client_key, server_key) = (next(suite.key_material), next(suite.key_material));
        let (client_iv, server_iv) = (next(block_iv_len), next(block_iv_len));
        let mut keys = Self {
            client: DirectionKeys { mac_secret: client_mac, key: client_key, iv: client_iv },
            server: DirectionKeys { mac_secret: server_mac, key: server_key, iv: server_iv },
        };
        if let (true, Some(stretch)) = (export, rules.export_keys) {
            let zeros = |len: usize| Zeroizing::new(vec![0; len]);
            let (client_material, server_material) = (
                std::mem::replace(&mut keys.client.key, zeros(key_len)),
                std::mem::replace(&mut keys.server.key, zeros(key_len)),
            );
            keys.client.iv = zeros(iv_len);
            keys.server.iv = zeros(iv_len);
            stretch(
                randoms,
                &mut ExportKeys {
                    client_material: &client_material,
                    server_material: &server_material,
                    client_key: &mut keys.client.key,
                    server_key: &mut keys.server.key,
                    client_iv: &mut keys.client.iv,
                    server_iv: &mut keys.server.iv,
                },
            );
        }
        keys
    }
}

impl DirectionKeys {
    /// What the record layer is made of.
    pub(crate) fn for_records<'a>(&'a self, rules: &Rules, suite: &SuiteRow, policy: &Policy) -> Keys<'a> {
        let small_blocks = matches!(suite.bulk, Bulk::Cbc(cipher) if cipher.block_len() == 8);
        Keys {
            wire_version: rules.version.0,
            bulk: suite.bulk,
            mac: suite.mac.map(|hash| MacKind { construction: rules.mac, hash }),
            padding: rules.padding,
            cbc_iv: rules.cbc_iv,
            mac_secret: &self.mac_secret,
            key: &self.key,
            iv: &self.iv,
            split: policy.split_records
                && rules.cbc_iv == CbcIv::Chained
                && matches!(suite.bulk, Bulk::Cbc(_)),
            data_limit: if small_blocks { policy.small_block_limit } else { u64::MAX },
        }
    }
}
