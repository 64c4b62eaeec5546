//! Values in a row, in memory that everyone who holds them shares.

use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::{Deref, Range};

use super::Value;

/// A part of some shared values, and what is to be known of that part without a look
/// at each value: a batch costs its holders one count of references, however long it is.
///
/// A part keeps the whole alive.
#[derive(Clone, Default)]
pub(crate) struct Values {
    /// None where there is nothing: that takes no memory.
    shared: Option<Arc<[Value]>>,
    /// The part: `start..end` of what is shared.
    start: u32,
    end: u32,
    /// How many of them change the membership.
    configs: u32,
    /// The largest payload of a command, or `u32::MAX` if that is larger.
    largest: u32,
    /// What the payloads weigh.
    bytes: usize,
}

impl Values {
    /// All of `shared`.
    pub(crate) fn new(shared: Arc<[Value]>) -> Values {
        let end = u32::try_from(shared.len()).expect("four billion values fit no memory");
        Values::part(shared, 0, end)
    }

    /// The part of this part that is `range`, which must lie in it.
    pub(crate) fn cut(&self, range: Range<usize>) -> Values {
        if range == (0..self.len()) {
            return self.clone();
        }
        assert!(range.start <= range.end && range.end <= self.len(), "a part of a part");
        let (start, end) = (self.start + range.start as u32, self.start + range.end as u32);
        match &self.shared {
            Some(shared) => Values::part(shared.clone(), start, end),
            None => Values::default(),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Bytes of all payloads.
    pub(crate) fn payload_bytes(&self) -> usize {
        self.bytes
    }

    /// What all values together count against limits in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.bytes + self.len() * Value::OVERHEAD
    }

    /// How many values change the membership.
    pub(crate) fn configs(&self) -> usize {
        self.configs as usize
    }

    /// Whether no command's payload is over `bytes_max`.
    pub(crate) fn fit(&self, bytes_max: usize) -> bool {
        (self.largest < u32::MAX && self.largest as usize <= bytes_max) || self.each_fits(bytes_max)
    }

    /// The same, asked of one after the other. Rare: kept out of the way of what is not.
    #[cold]
    #[inline(never)]
    fn each_fits(&self, bytes_max: usize) -> bool {
        let fits = |v: &Value| !matches!(v, Value::Command(c) if c.payload.len() > bytes_max);
        self.iter().all(fits)
    }

    fn part(shared: Arc<[Value]>, start: u32, end: u32) -> Values {
        let (mut bytes, mut largest, mut configs) = (0, 0, 0);
        for value in &shared[start as usize..end as usize] {
            let len = value.payload_len();
            bytes += len;
            match value {
                Value::Command(_) => largest = largest.max(len),
                Value::Config(_) => configs += 1,
                Value::Noop => {}
            }
        }
        let largest = u32::try_from(largest).unwrap_or(u32::MAX);
        Values { shared: Some(shared), start, end, configs, largest, bytes }
    }
}

impl Deref for Values {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        let Some(shared) = &self.shared else { return &[] };
        &shared[self.start as usize..self.end as usize]
    }
}

impl PartialEq for Values {
    fn eq(&self, other: &Values) -> bool {
        let same = match (&self.shared, &other.shared) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            _ => false,
        };
        (same && (self.start, self.end) == (other.start, other.end)) || **self == **other
    }
}

impl Eq for Values {}

impl Hash for Values {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// A part on its own: what it is a part of stays behind.
#[cfg(feature = "serde")]
impl serde::Serialize for Values {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Values {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        let values = Arc::<[Value]>::deserialize(deserializer)?;
        match u32::try_from(values.len()) {
            Ok(_) => Ok(Values::new(values)),
            Err(_) => Err(serde::de::Error::custom("four billion values")),
        }
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Command, Membership, NodeId};
    use alloc::vec;

    fn values() -> Values {
        let command = |n: usize| Value::Command(Command::plain(vec![0; n].into()));
        let config = Value::Config(Membership::majority([NodeId(1)]).into());
        Values::new([command(3), Value::Noop, config, command(9), command(5)].into())
    }

    #[test]
    fn what_is_known_of_a_part_is_what_a_look_at_each_value_tells() {
        let all = values();
        for start in 0..=all.len() {
            for end in start..=all.len() {
                let part = all.cut(start..end);
                let bytes: usize = part.iter().map(Value::payload_len).sum();
                assert_eq!((part.len(), part.payload_bytes()), (end - start, bytes));
                assert_eq!(part.weight(), part.iter().map(Value::weight).sum());
                let configs = part.iter().filter(|v| matches!(v, Value::Config(_))).count();
                assert_eq!(part.configs(), configs);
                for max in [2, 3, 8, 9] {
                    let over = |v: &Value| matches!(v, Value::Command(_)) && v.payload_len() > max;
                    assert_eq!(part.fit(max), !part.iter().any(over), "{start}..{end} {max}");
                }
            }
        }
    }

    #[test]
    fn parts_are_equal_by_what_they_hold() {
        let all = values();
        let sum = |values: &Values| {
            let mut hasher = crate::types::StateHasher::default();
            values.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(sum(&all.cut(2..3)), sum(&all.cut(1..4).cut(1..2)));
        assert_ne!(sum(&all.cut(0..1)), sum(&all.cut(3..4)));
        assert_eq!(all.cut(1..4).cut(1..2), all.cut(2..3));
        assert_eq!(all, Values::new(all.to_vec().into()));
        assert_ne!(all.cut(0..1), all.cut(3..4));
    }
}
