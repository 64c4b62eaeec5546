//! The spelling of how a group was founded.

use alloc::vec::Vec;

use bytes::BufMut;

use super::Malformed;
use super::wire::{Reader, Wire};
use crate::types::{Charter, Checksum, Founding, NodeId};

/// A founder and its disk.
struct Bound(NodeId, u64);

impl Wire for Bound {
    const BYTES_MIN: usize = 2;

    fn put(&self, out: &mut impl BufMut) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Bound, Malformed> {
        Ok(Bound(NodeId::take(reader)?, u64::take(reader)?))
    }
}

impl Wire for Charter {
    const BYTES_MIN: usize = 2 + Bound::BYTES_MIN;

    fn put(&self, out: &mut impl BufMut) {
        let all: Vec<Bound> = self.disks().map(|(node, disk)| Bound(node, disk)).collect();
        self.design().put(out);
        all.put(out);
    }

    fn take(reader: &mut Reader<'_>) -> Result<Charter, Malformed> {
        let design = Checksum::take(reader)?;
        let all = Vec::<Bound>::take(reader)?.into_iter().map(|Bound(node, disk)| (node, disk));
        Charter::new(design, all).ok_or(Malformed::OutOfRange("charter"))
    }
}

impl Wire for Founding {
    fn put(&self, out: &mut impl BufMut) {
        match self {
            Founding::Open => out.put_u8(0),
            Founding::Named(charter) => {
                out.put_u8(1);
                charter.put(out);
            }
            Founding::Founded(charter) => {
                out.put_u8(2);
                charter.put(out);
            }
            Founding::Joined => out.put_u8(3),
        }
    }

    fn take(reader: &mut Reader<'_>) -> Result<Founding, Malformed> {
        match reader.byte()? {
            0 => Ok(Founding::Open),
            1 => Charter::take(reader).map(Founding::Named),
            2 => Charter::take(reader).map(Founding::Founded),
            3 => Ok(Founding::Joined),
            tag => Err(Malformed::UnknownTag { of: "founding", tag }),
        }
    }
}
