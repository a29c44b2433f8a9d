//! For an instance type that EC2 cannot mirror, the nearest one that it can.

use super::eligibility::FAMILIES;

/// The type of the same size and series in the family that resembles the given one most: with the same
/// attributes if there is one, then of the same processor, then of the nearest generation. None where the
/// name is not understood, or the series has no family that EC2 can mirror. The family may lack the size.
#[must_use]
pub fn nearest_supported(instance_type: &str) -> Option<String> {
    let (family, size) = instance_type.split_once('.')?;
    let wanted = Family::parse(family)?;
    let same_series = FAMILIES.iter().filter_map(|name| {
        let candidate = Family::parse(name)?;
        (candidate.series == wanted.series).then_some((wanted.distance(&candidate), *name))
    });
    let (_, nearest) = same_series.min()?;
    Some(format!("{nearest}.{size}"))
}

/// `m8gd`: series `m`, generation 8, attributes `gd`.
struct Family<'a> {
    series: &'a str,
    generation: u8,
    attributes: &'a str,
}

impl<'a> Family<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let digits = name.find(|c: char| c.is_ascii_digit())?;
        let (series, rest) = name.split_at_checked(digits)?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (generation, attributes) = rest.split_at_checked(end)?;
        Some(Self { series, generation: generation.parse().ok()?, attributes })
    }

    /// `g` is AWS's own processor, `a` AMD's; every other family has Intel's.
    fn processor(&self) -> char {
        self.attributes.chars().next().filter(|c| matches!(c, 'g' | 'a')).unwrap_or('i')
    }

    /// The smaller, the more alike.
    fn distance(&self, other: &Self) -> (bool, bool, u8) {
        (
            self.attributes != other.attributes,
            self.processor() != other.processor(),
            self.generation.abs_diff(other.generation),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_type_has_the_series_and_if_it_can_be_the_processor() {
        for (instance_type, nearest) in [
            ("t2.micro", Some("t3.micro")),
            ("m8g.large", Some("m7g.large")),
            ("m8gd.2xlarge", Some("m7gd.2xlarge")),
            ("r8i.large", Some("r7i.large")),
            // No family has these attributes.
            ("m8gb.large", Some("m7g.large")),
            ("c7gn.large", Some("c6gn.large")),
            ("m3.large", Some("m4.large")),
            ("zz9.large", None),
            ("odd", None),
        ] {
            let expected = nearest.map(str::to_owned);
            assert_eq!(nearest_supported(instance_type), expected, "{instance_type}");
        }
    }
}
