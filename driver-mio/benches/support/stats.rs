//! Numbers of many runs in one.

/// The middle of the sample, or the mean of the two in the middle. Nothing for none.
pub fn median(sample: &[f64]) -> Option<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.len().checked_sub(1)? / 2, sorted.len() / 2);
    Some((sorted[low] + sorted[high]) / 2.0)
}

/// The least and the greatest of the sample.
pub fn range(sample: &[f64]) -> Option<(f64, f64)> {
    let least = sample.iter().copied().min_by(f64::total_cmp)?;
    let greatest = sample.iter().copied().max_by(f64::total_cmp)?;
    Some((least, greatest))
}
