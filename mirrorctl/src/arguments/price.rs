//! A price that is typed.

/// An amount in USD.
pub(super) fn price(text: &str) -> Result<f64, String> {
    let price = text.parse().ok().filter(|price: &f64| price.is_finite() && *price >= 0.0);
    price.ok_or_else(|| "a price in USD such as 0.015".to_owned())
}
