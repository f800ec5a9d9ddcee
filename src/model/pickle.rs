//! Reads the pickle inside a PyTorch checkpoint as data. Nothing is ever executed: a class becomes
//! a name, and only the few that a checkpoint needs mean something; every other call gives an
//! opaque object.

use crate::{Error, Result};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A value of a pickle.
#[derive(Clone, Debug)]
pub enum Object {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer that fits.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(Rc<str>),
    /// Bytes, or an integer too large to matter here.
    Bytes(Rc<[u8]>),
    /// A list, shared wherever the pickle refers to it again.
    List(Rc<RefCell<Vec<Object>>>),
    /// A tuple.
    Tuple(Rc<Vec<Object>>),
    /// A dict, in its order.
    Dict(Rc<RefCell<Vec<(Object, Object)>>>),
    /// A class or function: module and name.
    Class(Rc<str>, Rc<str>),
    /// A persistent id: a storage of the archive.
    Persistent(Rc<Object>),
    /// The result of a call that was not made: what would have been called, and with what.
    Call(Rc<Object>, Rc<Vec<Object>>),
}

impl Object {
    /// The value of a text key in a dict.
    pub fn get(&self, key: &str) -> Option<Object> {
        let Object::Dict(items) = self else {
            return None;
        };
        items
            .borrow()
            .iter()
            .rev()
            .find(|(k, _)| matches!(k, Object::Text(t) if &**t == key))
            .map(|(_, v)| v.clone())
    }

    /// Plain data as JSON; what JSON cannot hold becomes null.
    ///
    /// # Errors
    /// Objects that refer to themselves, or to one another so often that they would never end.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        let mut left = MOST_JSON;
        self.json(MAX_DEPTH, &mut left).ok_or_else(|| {
            Error::Invalid(
                "the configuration in the pickle refers to itself, or is too large for one".into(),
            )
        })
    }

    /// `left` pays for every value that is visited and every letter of its text.
    fn json(&self, depth: usize, left: &mut usize) -> Option<serde_json::Value> {
        use serde_json::Value;
        let text = if let Object::Text(text) = self {
            text.len()
        } else {
            0
        };
        *left = left.checked_sub(1 + text)?;
        let depth = depth.checked_sub(1)?;
        Some(match self {
            Object::Bool(b) => (*b).into(),
            Object::Int(i) => (*i).into(),
            Object::Float(f) => (*f).into(),
            Object::Text(t) => (**t).into(),
            Object::List(items) => Value::Array(
                items
                    .borrow()
                    .iter()
                    .map(|x| x.json(depth, left))
                    .collect::<Option<_>>()?,
            ),
            Object::Tuple(items) => Value::Array(
                items
                    .iter()
                    .map(|x| x.json(depth, left))
                    .collect::<Option<_>>()?,
            ),
            Object::Dict(items) => {
                let mut map = serde_json::Map::new();
                for (key, value) in items.borrow().iter() {
                    if let Value::String(key) = key.json(depth, left)? {
                        map.insert(key, value.json(depth, left)?);
                    }
                }
                Value::Object(map)
            }
            _ => Value::Null,
        })
    }
}

/// Takes what an object alone holds, so that dropping a deep pickle needs no deep stack.
fn empty(object: &mut Object, out: &mut Vec<Object>) {
    match object {
        Object::Tuple(items) => {
            out.extend(Rc::get_mut(items).map(std::mem::take).into_iter().flatten())
        }
        Object::List(items) => out.extend(
            Rc::get_mut(items)
                .map(|items| items.take())
                .into_iter()
                .flatten(),
        ),
        Object::Dict(items) => {
            for (key, value) in Rc::get_mut(items)
                .map(|items| items.take())
                .into_iter()
                .flatten()
            {
                out.extend([key, value]);
            }
        }
        Object::Persistent(id) => {
            out.extend(Rc::get_mut(id).map(|id| std::mem::replace(id, Object::None)))
        }
        Object::Call(callee, arguments) => {
            out.extend(Rc::get_mut(callee).map(|callee| std::mem::replace(callee, Object::None)));
            out.extend(
                Rc::get_mut(arguments)
                    .map(std::mem::take)
                    .into_iter()
                    .flatten(),
            );
        }
        _ => {}
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let mut rest = Vec::new();
        empty(self, &mut rest);
        while let Some(mut object) = rest.pop() {
            empty(&mut object, &mut rest);
        }
    }
}

/// Nesting that a configuration never reaches; guards against objects that hold themselves.
const MAX_DEPTH: usize = 32;

/// Values and letters of the largest configuration; guards against objects that hold one another
/// many times over.
const MOST_JSON: usize = 1 << 20;

/// Bytes of the largest pickle that is read: names and shapes of tensors, and perhaps an
/// optimizer's, take far less.
pub const MOST_BYTES: usize = 1 << 24;

/// Reads one pickle (protocols 2 to 5, as `torch.save` writes them).
///
/// # Errors
/// The bytes end early, use an operation that no checkpoint has, or are more than [`MOST_BYTES`].
pub fn read(bytes: &[u8]) -> Result<Object> {
    if bytes.len() > MOST_BYTES {
        return Err(Error::Invalid(format!(
            "the pickle in the checkpoint has {} bytes; {MOST_BYTES} are read at most",
            bytes.len()
        )));
    }
    Machine {
        bytes,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    }
    .run()
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Object>,
    marks: Vec<usize>,
    memo: HashMap<u32, Object>,
}

impl Machine<'_> {
    fn fail<T>(&self, what: &str) -> Result<T> {
        Err(Error::Invalid(format!(
            "the pickle in the checkpoint cannot be read: {what} at byte {}",
            self.at
        )))
    }

    fn take(&mut self, n: usize) -> Result<&[u8]> {
        match self
            .at
            .checked_add(n)
            .filter(|&end| end <= self.bytes.len())
        {
            Some(end) => {
                self.at = end;
                Ok(&self.bytes[end - n..end])
            }
            None => self.fail("it ends early"),
        }
    }

    fn number(&mut self, width: usize) -> Result<usize> {
        let mut raw = [0; 8];
        raw[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(raw)).or_else(|_| self.fail("a size is too large"))
    }

    fn text(&mut self, n: usize) -> Result<Object> {
        let text = String::from_utf8_lossy(self.take(n)?).into_owned();
        Ok(Object::Text(text.into()))
    }

    fn line(&mut self) -> Result<String> {
        match self.bytes[self.at..].iter().position(|&b| b == b'\n') {
            Some(n) => {
                let line = String::from_utf8_lossy(&self.bytes[self.at..self.at + n]).into_owned();
                self.at += n + 1;
                Ok(line)
            }
            None => self.fail("it ends early"),
        }
    }

    fn pop(&mut self) -> Result<Object> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return self.fail("the stack is empty");
        }
        self.stack
            .pop()
            .map_or_else(|| self.fail("the stack is empty"), Ok)
    }

    fn top(&self) -> Result<Object> {
        self.stack
            .last()
            .cloned()
            .map_or_else(|| self.fail("the stack is empty"), Ok)
    }

    fn since_mark(&mut self) -> Result<Vec<Object>> {
        match self.marks.pop() {
            Some(mark) if mark <= self.stack.len() => Ok(self.stack.split_off(mark)),
            _ => self.fail("no mark"),
        }
    }

    fn integer(&mut self, width: usize) -> Result<Object> {
        let raw = self.take(width)?;
        if width > 8 {
            return Ok(Object::Bytes(raw.into()));
        }
        let negative = raw.last().is_some_and(|b| b & 0x80 != 0);
        let mut full = [if negative { 0xff } else { 0 }; 8];
        full[..width].copy_from_slice(raw);
        Ok(Object::Int(i64::from_le_bytes(full)))
    }

    fn call(&mut self, callee: Object, arguments: Object) -> Result<Object> {
        let arguments = match &arguments {
            Object::Tuple(items) => items.clone(),
            _ => Rc::new(vec![arguments]),
        };
        if let Object::Class(module, name) = &callee
            && (&**module, &**name) == ("collections", "OrderedDict")
        {
            return Ok(Object::Dict(Rc::default()));
        }
        Ok(Object::Call(Rc::new(callee), arguments))
    }

    fn set_items(&mut self, pairs: Vec<Object>) -> Result<()> {
        if let Object::Dict(items) = &self.top()? {
            let mut pairs = pairs.into_iter();
            while let (Some(key), Some(value)) = (pairs.next(), pairs.next()) {
                items.borrow_mut().push((key, value));
            }
        }
        Ok(())
    }

    fn append(&mut self, values: Vec<Object>) -> Result<()> {
        if let Object::List(items) = &self.top()? {
            items.borrow_mut().extend(values);
        }
        Ok(())
    }

    fn run(mut self) -> Result<Object> {
        loop {
            let op = self.take(1)?[0];
            match op {
                b'.' => return self.pop(),
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.since_mark()?),
                b'2' => self.stack.push(self.top()?),
                b'N' => self.stack.push(Object::None),
                0x88 => self.stack.push(Object::Bool(true)),
                0x89 => self.stack.push(Object::Bool(false)),
                b'K' => {
                    let n = self.number(1)?;
                    self.stack.push(Object::Int(n as i64))
                }
                b'M' => {
                    let n = self.number(2)?;
                    self.stack.push(Object::Int(n as i64))
                }
                b'J' => {
                    let n = self.integer(4)?;
                    self.stack.push(n)
                }
                0x8a => {
                    let n = self.number(1)?;
                    let n = self.integer(n)?;
                    self.stack.push(n)
                }
                0x8b => {
                    let n = self.number(4)?;
                    let n = self.integer(n)?;
                    self.stack.push(n)
                }
                b'G' => {
                    let mut raw = [0; 8];
                    raw.copy_from_slice(self.take(8)?);
                    self.stack.push(Object::Float(f64::from_be_bytes(raw)));
                }
                0x8c => {
                    let n = self.number(1)?;
                    let t = self.text(n)?;
                    self.stack.push(t)
                }
                b'X' => {
                    let n = self.number(4)?;
                    let t = self.text(n)?;
                    self.stack.push(t)
                }
                0x8d => {
                    let n = self.number(8)?;
                    let t = self.text(n)?;
                    self.stack.push(t)
                }
                b'C' | b'U' => {
                    let n = self.number(1)?;
                    let b = self.take(n)?.into();
                    self.stack.push(Object::Bytes(b))
                }
                b'B' | b'T' => {
                    let n = self.number(4)?;
                    let b = self.take(n)?.into();
                    self.stack.push(Object::Bytes(b))
                }
                0x8e | 0x96 => {
                    let n = self.number(8)?;
                    let b = self.take(n)?.into();
                    self.stack.push(Object::Bytes(b))
                }
                b']' => self.stack.push(Object::List(Rc::default())),
                b'}' => self.stack.push(Object::Dict(Rc::default())),
                0x8f => self.stack.push(Object::List(Rc::default())),
                b')' => self.stack.push(Object::Tuple(Rc::default())),
                b't' => {
                    let items = self.since_mark()?;
                    self.stack.push(Object::Tuple(Rc::new(items)))
                }
                0x85..=0x87 => {
                    let mut items = Vec::new();
                    for _ in 0..op - 0x84 {
                        items.push(self.pop()?);
                    }
                    items.reverse();
                    self.stack.push(Object::Tuple(Rc::new(items)));
                }
                b'l' => {
                    let items = self.since_mark()?;
                    self.stack.push(Object::List(Rc::new(RefCell::new(items))))
                }
                b'd' => {
                    let items = self.since_mark()?;
                    self.stack.push(Object::Dict(Rc::default()));
                    self.set_items(items)?;
                }
                b'a' => {
                    let value = self.pop()?;
                    self.append(vec![value])?
                }
                b'e' | 0x90 => {
                    let values = self.since_mark()?;
                    self.append(values)?
                }
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set_items(vec![key, value])?
                }
                b'u' => {
                    let pairs = self.since_mark()?;
                    self.set_items(pairs)?
                }
                b'q' => {
                    let n = self.number(1)?;
                    let top = self.top()?;
                    self.memo.insert(n as u32, top);
                }
                b'r' => {
                    let n = self.number(4)?;
                    let top = self.top()?;
                    self.memo.insert(n as u32, top);
                }
                0x94 => {
                    let top = self.top()?;
                    self.memo.insert(self.memo.len() as u32, top);
                }
                b'h' | b'j' => {
                    let n = self.number(if op == b'h' { 1 } else { 4 })?;
                    match self.memo.get(&(n as u32)) {
                        Some(object) => self.stack.push(object.clone()),
                        None => return self.fail("a reference to nothing"),
                    }
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.stack.push(Object::Class(module.into(), name.into()));
                }
                0x93 => match (&self.pop()?, &self.pop()?) {
                    (Object::Text(name), Object::Text(module)) => {
                        self.stack.push(Object::Class(module.clone(), name.clone()))
                    }
                    _ => return self.fail("a class without a name"),
                },
                b'R' | 0x81 => {
                    let arguments = self.pop()?;
                    let callee = self.pop()?;
                    let result = self.call(callee, arguments)?;
                    self.stack.push(result);
                }
                0x92 => {
                    let (keywords, arguments, class) = (self.pop()?, self.pop()?, self.pop()?);
                    drop(keywords);
                    let result = self.call(class, arguments)?;
                    self.stack.push(result);
                }
                // BUILD gives an object its state; only plain attributes matter, as the object's
                // argument.
                b'b' => {
                    let state = self.pop()?;
                    if let Object::Call(callee, _) = &self.top()? {
                        self.pop()?;
                        self.stack
                            .push(Object::Call(callee.clone(), Rc::new(vec![state])));
                    }
                }
                b'Q' => {
                    let id = self.pop()?;
                    self.stack.push(Object::Persistent(Rc::new(id)))
                }
                _ => return self.fail(&format!("operation 0x{op:02x}, which no checkpoint has,")),
            }
        }
    }
}
