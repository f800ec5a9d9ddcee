//! An interpreter of the tile program of [`super::amx`], for tests on processors without tiles:
//! reads the text that the assembler reads, starts with every tile full of NaN, and refuses to
//! touch memory outside the operands and the result.

use super::amx::{PROGRAMS, ROW_BYTES, SIDE};
use super::{Line, MatrixUnit};
use std::collections::HashMap;
use std::ops::Range;

/// 16 rows of 64 bytes.
type Tile = [[u32; 16]; 16];

/// The interpreter as a unit.
pub struct Emulated;

impl MatrixUnit for Emulated {
    const ROWS: usize = SIDE;
    const COLUMNS: usize = SIDE;

    fn begin() -> Self {
        Emulated
    }

    unsafe fn tile(&self, a: &[Line], b: &[Line], c: *mut f32, ld: usize, accumulate: bool) {
        let steps = a.len() / SIDE;
        let range = |lines: &[Line]| lines.as_ptr() as usize..lines.as_ptr_range().end as usize;
        let result = c as usize..c as usize + 4 * ((SIDE - 1) * ld + SIDE);
        let names = [
            "{a}", "{b}", "{steps}", "{c}", "{c_low}", "{c_row}", "{a_row}", "{b_row}",
        ];
        let values = [
            a.as_ptr() as usize,
            b.as_ptr() as usize,
            steps,
            c as usize,
            c as usize + 64 * ld,
            4 * ld,
            ROW_BYTES[0],
            ROW_BYTES[1],
        ];
        let mut machine = Machine {
            registers: names.into_iter().zip(values).collect(),
            tiles: [[[f32::NAN.to_bits(); 16]; 16]; 8],
            readable: [range(a), range(b), result],
        };
        machine.run(PROGRAMS[usize::from(accumulate)]);
        assert_eq!(
            machine.registers["{a}"] - a.as_ptr() as usize,
            size_of_val(a),
            "the whole left operand has been read"
        );
        assert_eq!(
            machine.registers["{b}"] - b.as_ptr() as usize,
            size_of_val(b),
            "and the right one"
        );
    }
}

struct Machine {
    registers: HashMap<&'static str, usize>,
    tiles: [Tile; 8],
    /// Operands and, last, the result, which alone may be written.
    readable: [Range<usize>; 3],
}

impl Machine {
    fn run(&mut self, program: &str) {
        let lines: Vec<&str> = program.lines().collect();
        let (mut at, mut zero) = (0, false);
        while at < lines.len() {
            let (name, arguments) = lines[at].split_once(' ').unwrap_or((lines[at], ""));
            let arguments: Vec<&str> = arguments.split(", ").collect();
            match name {
                "2:" => {}
                "tilezero" => self.tiles[number(arguments[0])] = [[0; 16]; 16],
                "tileloadd" => {
                    let (start, row) = self.address(arguments[1]);
                    self.tiles[number(arguments[0])] =
                        std::array::from_fn(|r| self.read(start + r * row));
                }
                "tilestored" => {
                    let (start, row) = self.address(arguments[0]);
                    let tile = self.tiles[number(arguments[1])];
                    tile.iter()
                        .enumerate()
                        .for_each(|(r, values)| self.write(start + r * row, values));
                }
                "tdpbf16ps" => {
                    let [c, a, b] = [0, 1, 2].map(|i| number(arguments[i]));
                    self.tiles[c] = multiplied(&self.tiles[c], &self.tiles[a], &self.tiles[b]);
                }
                "add" => {
                    *self.registers.get_mut(arguments[0]).unwrap() +=
                        arguments[1].parse::<usize>().unwrap()
                }
                "dec" => {
                    let register = self.registers.get_mut(arguments[0]).unwrap();
                    *register -= 1;
                    zero = *register == 0;
                }
                "jnz" if !zero => at = lines.iter().position(|line| *line == "2:").unwrap(),
                "jnz" => {}
                _ => panic!("what is {}?", lines[at]),
            }
            at += 1;
        }
    }

    /// `[base + row*1 + offset]`: address of the first row, and the distance to the next.
    fn address(&self, text: &str) -> (usize, usize) {
        let parts: Vec<&str> = text.trim_matches(['[', ']']).split(" + ").collect();
        let row = self.registers[parts[1].strip_suffix("*1").unwrap()];
        (
            self.registers[parts[0]] + parts.get(2).map_or(0, |offset| offset.parse().unwrap()),
            row,
        )
    }

    fn read(&self, at: usize) -> [u32; 16] {
        assert!(
            self.readable
                .iter()
                .any(|range| range.start <= at && at + 64 <= range.end),
            "a read outside the operands"
        );
        // SAFETY: within what the unit was given.
        unsafe { std::ptr::with_exposed_provenance::<[u32; 16]>(at).read_unaligned() }
    }

    fn write(&self, at: usize, values: &[u32; 16]) {
        assert!(
            self.readable[2].start <= at && at + 64 <= self.readable[2].end,
            "a write outside the result"
        );
        // SAFETY: within the result.
        unsafe { std::ptr::with_exposed_provenance_mut::<[u32; 16]>(at).write_unaligned(*values) }
    }
}

fn number(tile: &str) -> usize {
    tile.strip_prefix("tmm").unwrap().parse().unwrap()
}

/// `TDPBF16PS` as Intel's manual gives it: products of even and of odd inner indices are summed
/// apart, then both sums are added.
fn multiplied(c: &Tile, a: &Tile, b: &Tile) -> Tile {
    let low = |pair: u32| f32::from_bits(pair << 16);
    let high = |pair: u32| f32::from_bits(pair & 0xffff_0000);
    std::array::from_fn(|m| {
        std::array::from_fn(|n| {
            let (mut even, mut odd) = (0.0_f32, 0.0_f32);
            for k in 0..16 {
                even = low(a[m][k]).mul_add(low(b[k][n]), even);
                odd = high(a[m][k]).mul_add(high(b[k][n]), odd);
            }
            (f32::from_bits(c[m][n]) + (even + odd)).to_bits()
        })
    })
}
