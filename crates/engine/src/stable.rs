//! A hash that is the same on every machine and in every version: for what is split or compared across processes.

/// FNV-1a with 128 bits. Quick and without secrets: it tells apart what differs by accident, not what somebody made to collide.
#[derive(Clone, Debug)]
pub(crate) struct StableHash(u128);

impl StableHash {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

    pub(crate) fn new() -> Self {
        StableHash(Self::OFFSET)
    }

    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut hash = StableHash::new();
        hash.add(bytes);
        hash
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(Self::PRIME);
        }
    }

    /// Adds text with its length, so that `ab`, `c` and `a`, `bc` differ.
    pub(crate) fn add_text(&mut self, text: &str) {
        self.add(&(text.len() as u64).to_le_bytes());
        self.add(text.as_bytes());
    }

    /// All 128 bits.
    pub(crate) fn value(&self) -> u128 {
        self.0
    }

    /// 64 bits, each of which depends on all that was added.
    pub(crate) fn short(&self) -> u64 {
        // FNV's low bits hardly depend on early bytes; two rounds of mixing let all of them count.
        let mut mixed = (self.0 as u64) ^ ((self.0 >> 64) as u64);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 33)
    }

    /// 32 hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        format!("{:032x}", self.0)
    }

    /// A number below `count`, each about equally often.
    pub(crate) fn below(&self, count: u32) -> u32 {
        (self.short() % u64::from(count.max(1))) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_published_test_vectors() {
        assert_eq!(StableHash::new().hex(), "6c62272e07bb014262b821756295c58d");
        assert_eq!(
            StableHash::of(b"a").hex(),
            "d228cb696f1a8caf78912b704e4a8964"
        );
        assert_eq!(
            StableHash::of(b"foobar").hex(),
            "343e1662793c64bf6f0d3597ba446f18"
        );
    }

    #[test]
    fn parts_are_about_equally_large_and_the_same_for_ever() {
        let mut parts = [0_u32; 7];
        for n in 0..7000 {
            parts[StableHash::of(format!("/tickets/{n}/comments").as_bytes()).below(7) as usize] +=
                1;
        }
        assert!(
            parts.iter().all(|part| (850..1150).contains(part)),
            "{parts:?}"
        );
        let first: Vec<u32> = ["/users", "/teams", "/tickets/1/comments"]
            .map(|name| StableHash::of(name.as_bytes()).below(4))
            .to_vec();
        assert_eq!(first, [2, 1, 1]);
    }

    #[test]
    fn texts_do_not_run_into_each_other() {
        let of = |texts: [&str; 2]| {
            let mut hash = StableHash::new();
            for text in texts {
                hash.add_text(text);
            }
            hash.hex()
        };
        assert_ne!(of(["ab", "c"]), of(["a", "bc"]));
    }
}
