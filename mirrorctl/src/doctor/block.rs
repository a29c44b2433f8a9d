//! Blocks of addresses, as rules and routes name them.

use std::{net::IpAddr, str::FromStr};

/// A block of addresses, such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    address: IpAddr,
    prefix: u32,
}

/// A text is no block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoBlock;

impl Block {
    /// Whether the address lies in the block. IPv4 and IPv6 never meet.
    pub(crate) const fn contains(self, address: IpAddr) -> bool {
        let (same, prefix) = match (self.address, address) {
            (IpAddr::V4(start), IpAddr::V4(address)) => {
                ((start.to_bits() ^ address.to_bits()).leading_zeros(), self.prefix)
            }
            (IpAddr::V6(start), IpAddr::V6(address)) => {
                ((start.to_bits() ^ address.to_bits()).leading_zeros(), self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        same >= prefix
    }

    /// How many bits it fixes: of two blocks with the same address, the more exact one has more.
    pub(crate) const fn prefix(self) -> u32 {
        self.prefix
    }
}

impl FromStr for Block {
    type Err = NoBlock;

    fn from_str(text: &str) -> Result<Self, NoBlock> {
        let (address, prefix) = text.split_once('/').ok_or(NoBlock)?;
        let address: IpAddr = address.parse().map_err(|_| NoBlock)?;
        let prefix: u32 = prefix.parse().map_err(|_| NoBlock)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix <= longest { Ok(Self { address, prefix }) } else { Err(NoBlock) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_the_addresses_that_begin_like_it() {
        for (block, address, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.2", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ] {
            let (block, address): (Block, IpAddr) =
                (block.parse().unwrap(), address.parse().unwrap());
            assert_eq!(block.contains(address), is_in, "{block:?} {address}");
        }
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/-1", "pl-1"] {
            assert_eq!(text.parse::<Block>(), Err(NoBlock), "{text}");
        }
    }
}
