//! The format (Kent et al. 2010): a header, a tree of contigs, a tree of places, and blocks of
//! values.
//!
//! A file says of everything where it is and how much of it there is. Each such word is held
//! against the length of the file before it is followed, trees are followed to a depth that no
//! sound file has, and a look-up visits no more than the file can hold.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::bufread::ZlibDecoder;

use crate::error::{Error, Result};
use crate::genome::Interval;

const BIGWIG: u32 = 0x888f_fc26;
const BIGBED: u32 = 0x8789_f2eb;
const CONTIG_TREE: u32 = 0x78ca_8c91;
const PLACE_TREE: u32 = 0x2468_ace0;

/// Levels of the deepest tree that is followed; with two children a node, that is more than a file
/// can hold.
const MOST_LEVELS: u32 = 40;

/// Bytes of a contig's longest name.
const MOST_NAME: usize = 4096;

/// Bytes of a block's header, and of the largest block: a header and 65 535 items of twelve bytes.
const BLOCK_HEADER: usize = 24;
const MOST_BLOCK: u64 = 24 + 65_535 * 12;

/// A contig as the file lists it.
pub(super) struct Listed {
    pub name: String,
    pub length_bp: u32,
    number: u32,
}

/// A file that is open for look-ups.
pub(super) struct BigWigFile {
    path: PathBuf,
    source: BufReader<File>,
    length: u64,
    /// The most significant byte comes first.
    big_endian: bool,
    /// Blocks are compressed.
    packed: bool,
    /// Where the root of the tree of places is.
    root: u64,
    contigs: Vec<Listed>,
}

/// What a look-up is for.
struct Wanted {
    contig: u32,
    bases: Interval,
    /// Items of the tree that may still be seen, and bytes of blocks that may still be named.
    items_left: u64,
    bytes_left: u64,
    /// Blocks that may hold such bases: where each starts, and its length.
    blocks: Vec<(u64, u64)>,
}

impl BigWigFile {
    pub(super) fn open(path: &Path) -> Result<BigWigFile> {
        let file = File::open(path).map_err(Error::io(path))?;
        let length = file.metadata().map_err(Error::io(path))?.len();
        let source = BufReader::new(file);
        let mut file = BigWigFile {
            path: path.into(),
            source,
            length,
            big_endian: false,
            packed: false,
            root: 0,
            contigs: Vec::new(),
        };
        if length < 64 {
            return Err(Error::file(path, "not a bigWig file, or one cut short"));
        }
        let header = file.bytes(0, 64)?;
        file.big_endian = header[0] == BIGWIG.to_be_bytes()[0];
        match file.u32(&header, 0) {
            BIGWIG => {}
            _ if [BIGBED.to_le_bytes(), BIGBED.to_be_bytes()]
                .iter()
                .any(|magic| header.starts_with(magic)) =>
            {
                return Err(Error::file(path, "not a bigWig file but a bigBed"));
            }
            _ => return Err(Error::file(path, "not a bigWig file")),
        }
        file.packed = file.u32(&header, 52) > 0;
        let places = file.u64(&header, 24);
        let tree = file.bytes(places, 48)?;
        if file.u32(&tree, 0) != PLACE_TREE {
            return Err(file.damaged("its index is not where it should be"));
        }
        file.root = places + 48;
        file.read_contigs(file.u64(&header, 8))?;
        Ok(file)
    }

    /// The contigs that the file lists, which need not have values.
    pub(super) fn contigs(&self) -> &[Listed] {
        &self.contigs
    }

    fn damaged(&self, what: &str) -> Error {
        Error::file(
            &self.path,
            format!("a damaged bigWig file ({what}): copy or make it again"),
        )
    }

    fn bytes(&mut self, at: u64, count: u64) -> Result<Vec<u8>> {
        if at.checked_add(count).is_none_or(|end| end > self.length) {
            return Err(self.damaged("it ends before what it names"));
        }
        let mut bytes = vec![0; count as usize];
        let read = self
            .source
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.source.read_exact(&mut bytes));
        match read {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                Err(self.damaged("it became shorter"))
            }
            read => read.map(|()| bytes).map_err(Error::io(&self.path)),
        }
    }

    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        let four = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if self.big_endian {
            u32::from_be_bytes(four)
        } else {
            u32::from_le_bytes(four)
        }
    }

    fn u64(&self, bytes: &[u8], at: usize) -> u64 {
        let (first, second) = (
            u64::from(self.u32(bytes, at)),
            u64::from(self.u32(bytes, at + 4)),
        );
        if self.big_endian {
            first << 32 | second
        } else {
            second << 32 | first
        }
    }

    fn u16(&self, bytes: &[u8], at: usize) -> u16 {
        let two = [bytes[at], bytes[at + 1]];
        if self.big_endian {
            u16::from_be_bytes(two)
        } else {
            u16::from_le_bytes(two)
        }
    }

    /// Whether a node of a tree is a leaf, and its items; `sizes` are those of an item of a leaf
    /// and of another node.
    fn node(
        &mut self,
        at: u64,
        sizes: (u64, u64),
        level: u32,
        items_left: &mut u64,
    ) -> Result<(bool, Vec<u8>)> {
        if level > MOST_LEVELS {
            return Err(self.damaged("its index goes in circles"));
        }
        let head = self.bytes(at, 4)?;
        let (leaf, count) = (head[0] == 1, u64::from(self.u16(&head, 2)));
        match items_left.checked_sub(count) {
            Some(left) => *items_left = left,
            None => return Err(self.damaged("its index holds more than the file")),
        }
        Ok((
            leaf,
            self.bytes(at + 4, count * if leaf { sizes.0 } else { sizes.1 })?,
        ))
    }

    fn read_contigs(&mut self, at: u64) -> Result<()> {
        let head = self.bytes(at, 32)?;
        let name = self.u32(&head, 8) as usize;
        if self.u32(&head, 0) != CONTIG_TREE
            || !(1..=MOST_NAME).contains(&name)
            || self.u32(&head, 12) != 8
        {
            return Err(self.damaged("its list of contigs is not where it should be"));
        }
        let mut items_left = self.length / (name as u64 + 8);
        self.read_contigs_below(at + 32, name, 0, &mut items_left)
    }

    fn read_contigs_below(
        &mut self,
        at: u64,
        name: usize,
        level: u32,
        items_left: &mut u64,
    ) -> Result<()> {
        let (leaf, items) = self.node(at, (name as u64 + 8, name as u64 + 8), level, items_left)?;
        for item in items.chunks_exact(name + 8) {
            if !leaf {
                self.read_contigs_below(self.u64(item, name), name, level + 1, items_left)?;
                continue;
            }
            let text = std::str::from_utf8(&item[..name])
                .map_err(|_| self.damaged("a contig's name is no text"))?;
            let (name, number, length_bp) = (
                text.trim_matches('\0').into(),
                self.u32(item, name),
                self.u32(item, name + 4),
            );
            self.contigs.push(Listed {
                name,
                length_bp,
                number,
            });
        }
        Ok(())
    }

    /// The values of bases of a contig, by its place in the list; `NaN` where the file has none.
    pub(super) fn values(&mut self, contig: usize, bases: Interval) -> Result<Vec<f32>> {
        let contig = self.contigs[contig].number;
        let mut wanted = Wanted {
            contig,
            bases,
            items_left: self.length / 24,
            bytes_left: self.length,
            blocks: Vec::new(),
        };
        self.find(self.root, 0, &mut wanted)?;
        let mut values = vec![f32::NAN; bases.len_bp()];
        for (at, length) in wanted.blocks {
            let block = self.block(at, length)?;
            self.take(&block, contig, bases.start as u64, &mut values)?;
        }
        Ok(values)
    }

    /// Collects the blocks below a node of the tree of places that may hold what is wanted.
    fn find(&mut self, at: u64, level: u32, wanted: &mut Wanted) -> Result<()> {
        let (leaf, items) = self.node(at, (32, 24), level, &mut wanted.items_left)?;
        for item in items.chunks_exact(if leaf { 32 } else { 24 }) {
            let place = |at: usize| (self.u32(item, at), self.u32(item, at + 4) as usize);
            if place(0) >= (wanted.contig, wanted.bases.end)
                || place(8) <= (wanted.contig, wanted.bases.start)
            {
                continue;
            }
            let child = self.u64(item, 16);
            if !leaf {
                self.find(child, level + 1, wanted)?;
                continue;
            }
            let length = self.u64(item, 24);
            match wanted.bytes_left.checked_sub(length) {
                Some(left) => wanted.bytes_left = left,
                None => return Err(self.damaged("its blocks hold more than the file")),
            }
            wanted.blocks.push((child, length));
        }
        Ok(())
    }

    fn block(&mut self, at: u64, length: u64) -> Result<Vec<u8>> {
        if length > 2 * MOST_BLOCK {
            return Err(self.damaged("a block is larger than any"));
        }
        let mut block = self.bytes(at, length)?;
        if self.packed {
            let mut unpacked = Vec::new();
            let read = ZlibDecoder::new(&block[..])
                .take(MOST_BLOCK + 1)
                .read_to_end(&mut unpacked);
            read.map_err(|_| self.damaged("a block cannot be unpacked"))?;
            block = unpacked;
        }
        if block.len() < BLOCK_HEADER || block.len() as u64 > MOST_BLOCK {
            return Err(self.damaged("a block is shorter or longer than any"));
        }
        Ok(block)
    }

    /// Puts the values of a block where they belong; `values` start at base `first` of the contig.
    fn take(&self, block: &[u8], contig: u32, first: u64, values: &mut [f32]) -> Result<()> {
        if self.u32(block, 0) != contig {
            return Ok(());
        }
        let number = |at: usize| u64::from(self.u32(block, at));
        let (start, step, span, count) = (
            number(4),
            number(12),
            number(16),
            usize::from(self.u16(block, 22)),
        );
        // Items: start, end and value; start and value; or value.
        let size = match block[20] {
            1 => 12,
            2 => 8,
            3 => 4,
            _ => return Err(self.damaged("a block is of an unknown kind")),
        };
        let items = &block[BLOCK_HEADER..];
        if items.len() < count * size {
            return Err(self.damaged("a block holds less than it says"));
        }
        for (index, at) in (BLOCK_HEADER..).step_by(size).take(count).enumerate() {
            let (from, to) = match size {
                12 => (number(at), number(at + 4)),
                8 => (number(at), number(at) + span),
                _ => (
                    start + index as u64 * step,
                    start + index as u64 * step + span,
                ),
            };
            let within = |base: u64| base.saturating_sub(first).min(values.len() as u64) as usize;
            let (from, to) = (within(from), within(to));
            if from < to {
                values[from..to].fill(f32::from_bits(self.u32(block, at + size - 4)));
            }
        }
        Ok(())
    }
}
