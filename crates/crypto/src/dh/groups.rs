//! The groups that have a name. Each prime is a safe one (half of its predecessor is prime too), and 2 generates the
//! half of the group that matters.

use std::sync::LazyLock;

use super::Group;

#[expect(clippy::expect_used, reason = "a constant is a group or it is not, and a test looks at each")]
fn group(words: &[u64]) -> Group {
    let p: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    Group::from_components(&p, &[2]).expect("a group")
}

/// The 1024-bit MODP group. Within reach of a state: for peers that take nothing larger.
///
/// Spec: MODP (RFC 2409) section 6.2.
pub static MODP_1024: LazyLock<Group> = LazyLock::new(|| {
    group(&[
        0xFFFF_FFFF_FFFF_FFFF,
        0xC90F_DAA2_2168_C234,
        0xC4C6_628B_80DC_1CD1,
        0x2902_4E08_8A67_CC74,
        0x020B_BEA6_3B13_9B22,
        0x514A_0879_8E34_04DD,
        0xEF95_19B3_CD3A_431B,
        0x302B_0A6D_F25F_1437,
        0x4FE1_356D_6D51_C245,
        0xE485_B576_625E_7EC6,
        0xF44C_42E9_A637_ED6B,
        0x0BFF_5CB6_F406_B7ED,
        0xEE38_6BFB_5A89_9FA5,
        0xAE9F_2411_7C4B_1FE6,
        0x4928_6651_ECE6_5381,
        0xFFFF_FFFF_FFFF_FFFF,
    ])
});

/// The 1536-bit MODP group.
///
/// Spec: MODP (RFC 3526) section 2.
pub static MODP_1536: LazyLock<Group> = LazyLock::new(|| {
    group(&[
        0xFFFF_FFFF_FFFF_FFFF,
        0xC90F_DAA2_2168_C234,
        0xC4C6_628B_80DC_1CD1,
        0x2902_4E08_8A67_CC74,
        0x020B_BEA6_3B13_9B22,
        0x514A_0879_8E34_04DD,
        0xEF95_19B3_CD3A_431B,
        0x302B_0A6D_F25F_1437,
        0x4FE1_356D_6D51_C245,
        0xE485_B576_625E_7EC6,
        0xF44C_42E9_A637_ED6B,
        0x0BFF_5CB6_F406_B7ED,
        0xEE38_6BFB_5A89_9FA5,
        0xAE9F_2411_7C4B_1FE6,
        0x4928_6651_ECE4_5B3D,
        0xC200_7CB8_A163_BF05,
        0x98DA_4836_1C55_D39A,
        0x6916_3FA8_FD24_CF5F,
        0x8365_5D23_DCA3_AD96,
        0x1C62_F356_2085_52BB,
        0x9ED5_2907_7096_966D,
        0x670C_354E_4ABC_9804,
        0xF174_6C08_CA23_7327,
        0xFFFF_FFFF_FFFF_FFFF,
    ])
});

/// The 2048-bit MODP group.
///
/// Spec: MODP (RFC 3526) section 3.
pub static MODP_2048: LazyLock<Group> = LazyLock::new(|| {
    group(&[
        0xFFFF_FFFF_FFFF_FFFF,
        0xC90F_DAA2_2168_C234,
        0xC4C6_628B_80DC_1CD1,
        0x2902_4E08_8A67_CC74,
        0x020B_BEA6_3B13_9B22,
        0x514A_0879_8E34_04DD,
        0xEF95_19B3_CD3A_431B,
        0x302B_0A6D_F25F_1437,
        0x4FE1_356D_6D51_C245,
        0xE485_B576_625E_7EC6,
        0xF44C_42E9_A637_ED6B,
        0x0BFF_5CB6_F406_B7ED,
        0xEE38_6BFB_5A89_9FA5,
        0xAE9F_2411_7C4B_1FE6,
        0x4928_6651_ECE4_5B3D,
        0xC200_7CB8_A163_BF05,
        0x98DA_4836_1C55_D39A,
        0x6916_3FA8_FD24_CF5F,
        0x8365_5D23_DCA3_AD96,
        0x1C62_F356_2085_52BB,
        0x9ED5_2907_7096_966D,
        0x670C_354E_4ABC_9804,
        0xF174_6C08_CA18_217C,
        0x3290_5E46_2E36_CE3B,
        0xE39E_772C_180E_8603,
        0x9B27_83A2_EC07_A28F,
        0xB5C5_5DF0_6F4C_52C9,
        0xDE2B_CBF6_9558_1718,
        0x3995_497C_EA95_6AE5,
        0x15D2_2618_98FA_0510,
        0x1572_8E5A_8AAC_AA68,
        0xFFFF_FFFF_FFFF_FFFF,
    ])
});

/// ffdhe2048, the group that TLS names 256.
///
/// Spec: FFDHE appendix A.1.
pub static FFDHE2048: LazyLock<Group> = LazyLock::new(|| {
    group(&[
        0xFFFF_FFFF_FFFF_FFFF,
        0xADF8_5458_A2BB_4A9A,
        0xAFDC_5620_273D_3CF1,
        0xD8B9_C583_CE2D_3695,
        0xA9E1_3641_1464_33FB,
        0xCC93_9DCE_249B_3EF9,
        0x7D2F_E363_630C_75D8,
        0xF681_B202_AEC4_617A,
        0xD3DF_1ED5_D5FD_6561,
        0x2433_F51F_5F06_6ED0,
        0x8563_6555_3DED_1AF3,
        0xB557_135E_7F57_C935,
        0x984F_0C70_E0E6_8B77,
        0xE2A6_89DA_F3EF_E872,
        0x1DF1_58A1_36AD_E735,
        0x30AC_CA4F_483A_797A,
        0xBC0A_B182_B324_FB61,
        0xD108_A94B_B2C8_E3FB,
        0xB96A_DAB7_60D7_F468,
        0x1D4F_42A3_DE39_4DF4,
        0xAE56_EDE7_6372_BB19,
        0x0B07_A7C8_EE0A_6D70,
        0x9E02_FCE1_CDF7_E2EC,
        0xC034_04CD_2834_2F61,
        0x9172_FE9C_E985_83FF,
        0x8E4F_1232_EEF2_8183,
        0xC3FE_3B1B_4C6F_AD73,
        0x3BB5_FCBC_2EC2_2005,
        0xC58E_F183_7D16_83B2,
        0xC6F3_4A26_C1B2_EFFA,
        0x886B_4238_6128_5C97,
        0xFFFF_FFFF_FFFF_FFFF,
    ])
});

/// ffdhe3072, the group that TLS names 257.
///
/// Spec: FFDHE appendix A.2.
pub static FFDHE3072: LazyLock<Group> = LazyLock::new(|| {
    group(&[
        0xFFFF_FFFF_FFFF_FFFF,
        0xADF8_5458_A2BB_4A9A,
        0xAFDC_5620_273D_3CF1,
        0xD8B9_C583_CE2D_3695,
        0xA9E1_3641_1464_33FB,
        0xCC93_9DCE_249B_3EF9,
        0x7D2F_E363_630C_75D8,
        0xF681_B202_AEC4_617A,
        0xD3DF_1ED5_D5FD_6561,
        0x2433_F51F_5F06_6ED0,
        0x8563_6555_3DED_1AF3,
        0xB557_135E_7F57_C935,
        0x984F_0C70_E0E6_8B77,
        0xE2A6_89DA_F3EF_E872,
        0x1DF1_58A1_36AD_E735,
        0x30AC_CA4F_483A_797A,
        0xBC0A_B182_B324_FB61,
        0xD108_A94B_B2C8_E3FB,
        0xB96A_DAB7_60D7_F468,
        0x1D4F_42A3_DE39_4DF4,
        0xAE56_EDE7_6372_BB19,
        0x0B07_A7C8_EE0A_6D70,
        0x9E02_FCE1_CDF7_E2EC,
        0xC034_04CD_2834_2F61,
        0x9172_FE9C_E985_83FF,
        0x8E4F_1232_EEF2_8183,
        0xC3FE_3B1B_4C6F_AD73,
        0x3BB5_FCBC_2EC2_2005,
        0xC58E_F183_7D16_83B2,
        0xC6F3_4A26_C1B2_EFFA,
        0x886B_4238_611F_CFDC,
        0xDE35_5B3B_6519_035B,
        0xBC34_F4DE_F99C_0238,
        0x61B4_6FC9_D6E6_C907,
        0x7AD9_1D26_91F7_F7EE,
        0x598C_B0FA_C186_D91C,
        0xAEFE_1309_8513_9270,
        0xB413_0C93_BC43_7944,
        0xF4FD_4452_E2D7_4DD3,
        0x64F2_E21E_71F5_4BFF,
        0x5CAE_82AB_9C9D_F69E,
        0xE86D_2BC5_2236_3A0D,
        0xABC5_2197_9B0D_EADA,
        0x1DBF_9A42_D5C4_484E,
        0x0ABC_D06B_FA53_DDEF,
        0x3C1B_20EE_3FD5_9D7C,
        0x25E4_1D2B_66C6_2E37,
        0xFFFF_FFFF_FFFF_FFFF,
    ])
});

/// ffdhe4096, the group that TLS names 258.
///
/// Spec: FFDHE appendix A.3.
pub static FFDHE4096: LazyLock<Group> = LazyLock::new(|| {
    group(&[
        0xFFFF_FFFF_FFFF_FFFF,
        0xADF8_5458_A2BB_4A9A,
        0xAFDC_5620_273D_3CF1,
        0xD8B9_C583_CE2D_3695,
        0xA9E1_3641_1464_33FB,
        0xCC93_9DCE_249B_3EF9,
        0x7D2F_E363_630C_75D8,
        0xF681_B202_AEC4_617A,
        0xD3DF_1ED5_D5FD_6561,
        0x2433_F51F_5F06_6ED0,
        0x8563_6555_3DED_1AF3,
        0xB557_135E_7F57_C935,
        0x984F_0C70_E0E6_8B77,
        0xE2A6_89DA_F3EF_E872,
        0x1DF1_58A1_36AD_E735,
        0x30AC_CA4F_483A_797A,
        0xBC0A_B182_B324_FB61,
        0xD108_A94B_B2C8_E3FB,
        0xB96A_DAB7_60D7_F468,
        0x1D4F_42A3_DE39_4DF4,
        0xAE56_EDE7_6372_BB19,
        0x0B07_A7C8_EE0A_6D70,
        0x9E02_FCE1_CDF7_E2EC,
        0xC034_04CD_2834_2F61,
        0x9172_FE9C_E985_83FF,
        0x8E4F_1232_EEF2_8183,
        0xC3FE_3B1B_4C6F_AD73,
        0x3BB5_FCBC_2EC2_2005,
        0xC58E_F183_7D16_83B2,
        0xC6F3_4A26_C1B2_EFFA,
        0x886B_4238_611F_CFDC,
        0xDE35_5B3B_6519_035B,
        0xBC34_F4DE_F99C_0238,
        0x61B4_6FC9_D6E6_C907,
        0x7AD9_1D26_91F7_F7EE,
        0x598C_B0FA_C186_D91C,
        0xAEFE_1309_8513_9270,
        0xB413_0C93_BC43_7944,
        0xF4FD_4452_E2D7_4DD3,
        0x64F2_E21E_71F5_4BFF,
        0x5CAE_82AB_9C9D_F69E,
        0xE86D_2BC5_2236_3A0D,
        0xABC5_2197_9B0D_EADA,
        0x1DBF_9A42_D5C4_484E,
        0x0ABC_D06B_FA53_DDEF,
        0x3C1B_20EE_3FD5_9D7C,
        0x25E4_1D2B_669E_1EF1,
        0x6E6F_52C3_164D_F4FB,
        0x7930_E9E4_E588_57B6,
        0xAC7D_5F42_D69F_6D18,
        0x7763_CF1D_5503_4004,
        0x87F5_5BA5_7E31_CC7A,
        0x7135_C886_EFB4_318A,
        0xED6A_1E01_2D9E_6832,
        0xA907_600A_9181_30C4,
        0x6DC7_78F9_71AD_0038,
        0x0929_99A3_33CB_8B7A,
        0x1A1D_B93D_7140_003C,
        0x2A4E_CEA9_F98D_0ACC,
        0x0A82_91CD_CEC9_7DCF,
        0x8EC9_B55A_7F88_A46B,
        0x4DB5_A851_F441_82E1,
        0xC68A_007E_5E65_5F6A,
        0xFFFF_FFFF_FFFF_FFFF,
    ])
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsa::is_probable_prime;
    use crate::testing::Seeded;

    #[test]
    fn primes_are_safe_and_as_long_as_their_names_say() {
        let named = [
            (&MODP_1024, 1024),
            (&MODP_1536, 1536),
            (&MODP_2048, 2048),
            (&FFDHE2048, 2048),
            (&FFDHE3072, 3072),
            (&FFDHE4096, 4096),
        ];
        for (group, bits) in named {
            assert_eq!(group.bits(), bits);
            assert_eq!(group.g(), [2]);
            // All of them begin and end with 64 ones, as RFC 2412 has it, which makes reduction simple.
            assert!(group.p().starts_with(&[0xFF; 8]) && group.p().ends_with(&[0xFF; 8]));
            let half: Vec<u8> = std::iter::once(&0)
                .chain(group.p())
                .zip(group.p())
                .map(|(high, low)| high << 7 | low >> 1)
                .collect();
            assert!(is_probable_prime(group.p(), 2, &Seeded::new(1)).unwrap(), "{bits}");
            assert!(is_probable_prime(&half, 2, &Seeded::new(2)).unwrap(), "{bits}");
        }
    }
}
