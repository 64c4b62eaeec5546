//! Every bound of the key-value machine, with its unit and its reason.

/// What a command, an answer and the keyspace may cost.
///
/// Bounds that [`apply`](super::Machine::apply) consults must be the same on
/// every replica, or replicas diverge; they are marked *replicated*, and no node
/// may start with others than the group has run with. The rest is checked before
/// a command is proposed and may differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest key, in bytes. A key is held in the ordered expiry index and is
    /// compared on every step of a search.
    pub key_bytes_max: usize,
    /// Longest value, in bytes, also after `APPEND` and `SETRANGE`. *Replicated.*
    /// A value travels in one payload, and a snapshot chunk must hold it.
    pub value_bytes_max: usize,
    /// Longest encoded command, in bytes, `MSET` and transactions included. It
    /// must fit into what the log takes as one value.
    pub command_bytes_max: usize,
    /// Most commands in one `MULTI`. A transaction is applied in one step.
    pub transaction_commands_max: usize,
    /// Most keys under `WATCH` on one connection. Each is compared at `EXEC`.
    pub watched_keys_max: usize,
    /// Longest glob pattern, in bytes. One comparison takes at most the product
    /// of pattern and key length.
    pub pattern_bytes_max: usize,
    /// Most keys that one `KEYS`, or all of one transaction, looks at before it is
    /// refused in favour of `SCAN`. It stops the whole replica for as long as it runs. *Replicated.*
    pub keys_examined_max: usize,
    /// Most keys that one `SCAN` looks at, whatever its `COUNT` says. *Replicated.*
    pub scan_examined_max: usize,
    /// Most steps of the glob matcher in one query or transaction, counted between
    /// keys: `SCAN` stops early, `KEYS` is refused. *Replicated.*
    pub glob_steps_max: u64,
    /// Most bytes that one step copies out of long values, or fills between them and what
    /// `SETRANGE` writes behind their ends. *Replicated.* A short `MULTI` may ask for
    /// thousands of gaps. It must allow for one value of the greatest length.
    pub copied_bytes_max: usize,
    /// Most bytes of keys and values in one answer. *Replicated.* A short `MGET`
    /// or `MULTI` may ask for the same long value over and over.
    pub answer_bytes_max: usize,
    /// Most expired keys removed by one step. *Replicated.* The rest stays
    /// invisible until later steps remove it.
    pub purged_keys_max: usize,
    /// Shortest value that may stay a slice of its payload, in bytes; shorter ones, and
    /// those that are not at least half of it, are copied, so that they do not pin what
    /// they arrived with.
    pub shared_value_bytes_min: usize,
    /// Size of the keyspace, in the bytes of [`Machine::bytes`](super::Machine::bytes),
    /// from which commands that grow it are refused: by a node before it proposes
    /// them, and by the machine, since many may be on their way. *Replicated.*
    pub store_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            key_bytes_max: 64 << 10,
            value_bytes_max: 1 << 20,
            command_bytes_max: 4 << 20,
            transaction_commands_max: 4096,
            watched_keys_max: 1024,
            pattern_bytes_max: 1024,
            keys_examined_max: 1_000_000,
            scan_examined_max: 10_000,
            glob_steps_max: 50_000_000,
            copied_bytes_max: 64 << 20,
            answer_bytes_max: 64 << 20,
            purged_keys_max: 64,
            shared_value_bytes_min: 64 << 10,
            store_bytes_max: 4 << 30,
        }
    }
}
