//! The grammar of jq 1.8.
//!
//! From loose to tight: `def`, `label`, `as` and `|`; `,`; `//`; assignments; `or`; `and`; comparisons; `+ -`; `* / %`; terms.

use super::build;
use super::guard::{BARE_DEPTH, ticked};
use super::lex::{Lexer, Tok, Token};
use super::{BinaryOp, Def, MAX_TERM_DEPTH, Pattern, Term, Tm};
use crate::error::CompileError;
use jaq_core::load::Arena;
use jaq_core::load::lex::StrPart;
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Opt, Part};

type Result<T> = std::result::Result<T, CompileError>;

/// A term and how deep it nests.
struct Node<'s> {
    term: Tm<'s>,
    depth: Depth,
}

#[derive(Clone, Copy, Default)]
struct Depth {
    total: u32,
    /// Since the last step (see `guard`).
    bare: u32,
}

impl Depth {
    fn max(self, other: Depth) -> Depth {
        Depth {
            total: self.total.max(other.total),
            bare: self.bare.max(other.bare),
        }
    }

    fn plus(self, more: u32) -> Depth {
        Depth {
            total: self.total + more,
            bare: self.bare + more,
        }
    }
}

pub(crate) struct Parser<'s> {
    lexer: Lexer<'s>,
    token: Token<'s>,
    /// Where new names live that the program's text does not hold.
    pub(super) arena: &'s Arena,
    /// Open brackets and the like around the current place.
    open: u32,
}

const KEYWORDS: [&str; 19] = [
    "def", "module", "import", "include", "if", "then", "elif", "else", "end", "as", "reduce",
    "foreach", "try", "catch", "label", "and", "or", "__loc__", "break",
];

/// Reads a whole program.
pub(crate) fn program<'s>(text: &'s str, arena: &'s Arena) -> Result<Tm<'s>> {
    let mut parser = Parser::new(text, arena)?;
    if let Tok::Word(word @ ("import" | "include" | "module")) = parser.token.tok {
        return Err(parser.here(format_args!("`{word}`: there are no modules here")));
    }
    if parser.token.tok == Tok::End {
        return Err(parser.here("the expression is empty: `.` passes the value on as it is"));
    }
    if parser.is_word("def") {
        // Definitions alone are a program for jq; it passes its input on.
        let defs = parser.defs()?;
        if parser.token.tok == Tok::End {
            return Ok(Term::Def(defs, Box::new(Term::Id)));
        }
        let body = parser.query()?;
        parser.end()?;
        return Ok(Term::Def(defs, Box::new(body.term)));
    }
    let node = parser.query()?;
    parser.end()?;
    Ok(node.term)
}

/// Reads definitions only.
pub(crate) fn definitions<'s>(text: &'s str, arena: &'s Arena) -> Result<Vec<Def<&'s str>>> {
    let mut parser = Parser::new(text, arena)?;
    let defs = parser.defs()?;
    parser.end()?;
    Ok(defs)
}

impl<'s> Parser<'s> {
    fn new(text: &'s str, arena: &'s Arena) -> Result<Self> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            arena,
            open: 0,
        })
    }

    fn end(&self) -> Result<()> {
        if self.token.tok == Tok::End {
            Ok(())
        } else {
            Err(self.unexpected("the end of the expression"))
        }
    }

    fn here(&self, what: impl std::fmt::Display) -> CompileError {
        self.lexer.error(self.token.at, what)
    }

    fn unexpected(&self, wanted: &str) -> CompileError {
        let found = match self.token.tok {
            Tok::Word(text) | Tok::Var(text) | Tok::Format(text) | Tok::Number(text) => {
                format!("`{text}`")
            }
            Tok::Field(text) => format!("`.{text}`"),
            Tok::Quote => "a string".into(),
            Tok::Symbol("?//") => {
                return self.here(
                    "`?//` is one word in jq: write `? //` for \"nothing on errors, or else\"",
                );
            }
            Tok::Symbol(text) => format!("`{text}`"),
            Tok::End => "the end".into(),
        };
        self.here(format_args!("expected {wanted}, found {found}"))
    }

    fn advance(&mut self) -> Result<Token<'s>> {
        let token = self.token;
        self.token = self.lexer.next()?;
        Ok(token)
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.token.tok, Tok::Symbol(s) if s == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        self.token.tok == Tok::Word(word)
    }

    fn eat(&mut self, symbol: &str) -> Result<bool> {
        let found = self.is(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn eat_word(&mut self, word: &str) -> Result<bool> {
        let found = self.is_word(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: &str) -> Result<()> {
        if self.eat(symbol)? {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{symbol}`")))
        }
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word)? {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{word}`")))
        }
    }

    /// Reads something inside of something else.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.open += 1;
        if self.open > MAX_TERM_DEPTH / 4 {
            return Err(self.here("the expression nests too deeply"));
        }
        let result = read(self)?;
        self.open -= 1;
        Ok(result)
    }

    fn node(&self, term: Tm<'s>, inner: Depth) -> Result<Node<'s>> {
        if inner.total >= MAX_TERM_DEPTH {
            return Err(
                self.here("the expression nests too deeply, or is a chain of too many parts")
            );
        }
        let depth = inner.plus(1);
        if depth.bare > BARE_DEPTH {
            return Ok(Node {
                term: ticked(term),
                depth: Depth { bare: 0, ..depth },
            });
        }
        Ok(Node { term, depth })
    }

    fn leaf(&self, term: Tm<'s>) -> Node<'s> {
        Node {
            term,
            depth: Depth::default(),
        }
    }

    /// `|`, `as`, `def`, `label`.
    fn query(&mut self) -> Result<Node<'s>> {
        self.nested(|p| p.query_with_comma(true))
    }

    fn query_with_comma(&mut self, comma: bool) -> Result<Node<'s>> {
        if self.is_word("def") {
            let defs = self.defs()?;
            let body = self.nested(|p| p.query_with_comma(comma))?;
            return self.node(Term::Def(defs, Box::new(body.term)), body.depth);
        }
        if self.eat_word("label")? {
            let Tok::Var(name) = self.advance()?.tok else {
                return Err(self.unexpected("a label such as `$out`"));
            };
            self.expect("|")?;
            let body = self.nested(|p| p.query_with_comma(comma))?;
            return self.node(Term::Label(name, Box::new(body.term)), body.depth);
        }
        let mut left = self.operators(0)?;
        loop {
            if self.is_word("as") {
                return self.binding(left, comma);
            }
            if comma && self.eat(",")? {
                // What follows a comma may bind: `1, 2 as $x | $x`.
                if self.is_word("def") || self.is_word("label") {
                    let right = self.nested(|p| p.query_with_comma(comma))?;
                    let depth = left.depth.max(right.depth);
                    return self.node(build::comma(left.term, right.term), depth);
                }
                let right = self.operators(0)?;
                if self.is_word("as") {
                    let right = self.binding(right, comma)?;
                    let depth = left.depth.max(right.depth);
                    return self.node(build::comma(left.term, right.term), depth);
                }
                let depth = left.depth.max(right.depth);
                left = self.node(build::comma(left.term, right.term), depth)?;
                continue;
            }
            if self.eat("|")? {
                let right = self.nested_chain(comma)?;
                let depth = left.depth.max(right.depth);
                return self.node(build::pipe(left.term, right.term), depth);
            }
            return Ok(left);
        }
    }

    /// What follows a `|`. Long chains nest to the right, and so does this reading of them.
    fn nested_chain(&mut self, comma: bool) -> Result<Node<'s>> {
        self.nested(|p| p.query_with_comma(comma))
    }

    /// `left as $x | …`
    fn binding(&mut self, left: Node<'s>, comma: bool) -> Result<Node<'s>> {
        self.expect_word("as")?;
        let patterns = self.patterns()?;
        self.expect("|")?;
        let body = self.nested_chain(comma)?;
        let depth = left.depth.max(body.depth);
        self.node(build::bind(left.term, patterns, body.term), depth.plus(2))
    }

    fn patterns(&mut self) -> Result<Vec<Pattern<&'s str>>> {
        let mut patterns = vec![self.pattern()?];
        while self.eat("?//")? {
            patterns.push(self.pattern()?);
        }
        Ok(patterns)
    }

    fn pattern(&mut self) -> Result<Pattern<&'s str>> {
        self.nested(|p| match p.token.tok {
            Tok::Var(name) => {
                p.advance()?;
                Ok(Pattern::Var(name))
            }
            Tok::Symbol("[") => {
                p.advance()?;
                let mut items = vec![p.pattern()?];
                while p.eat(",")? {
                    items.push(p.pattern()?);
                }
                p.expect("]")?;
                Ok(Pattern::Arr(items))
            }
            Tok::Symbol("{") => {
                p.advance()?;
                let mut members = Vec::new();
                loop {
                    p.member_pattern(&mut members)?;
                    if !p.eat(",")? {
                        break;
                    }
                }
                p.expect("}")?;
                Ok(Pattern::Obj(members))
            }
            _ => Err(p.unexpected("a variable such as `$x`, or `[` or `{`")),
        })
    }

    fn member_pattern(&mut self, members: &mut Vec<(Tm<'s>, Pattern<&'s str>)>) -> Result<()> {
        let key = match self.token.tok {
            Tok::Var(name) => {
                self.advance()?;
                // `{$a}` binds the member `a`; `{$a: [$b]}` takes it apart, too.
                members.push((build::text(&name[1..]), Pattern::Var(name)));
                if !self.is(":") {
                    return Ok(());
                }
                build::text(&name[1..])
            }
            Tok::Word(name) => {
                self.advance()?;
                build::text(name)
            }
            Tok::Quote | Tok::Format(_) => self.string()?.term,
            Tok::Symbol("(") => {
                self.advance()?;
                let key = self.query()?;
                self.expect(")")?;
                key.term
            }
            _ => return Err(self.unexpected("a key")),
        };
        self.expect(":")?;
        members.push((key, self.pattern()?));
        Ok(())
    }

    /// Binary operators from the given level on: 0 `//`, 1 assignments, 2 `or`, 3 `and`, 4 comparisons, 5 `+ -`, 6 `* / %`.
    fn operators(&mut self, level: u8) -> Result<Node<'s>> {
        if level > 6 {
            return self.prefixed();
        }
        let mut left = self.operators(level + 1)?;
        let mut compared = false;
        while let Some(op) = self.operator(level) {
            if compared {
                return Err(self.here("comparisons and assignments do not chain: use parentheses"));
            }
            self.advance()?;
            let right = match level {
                // To the right.
                0 => self.nested(|p| p.operators(0))?,
                _ => self.operators(level + 1)?,
            };
            compared = matches!(level, 1 | 4);
            let depth = left.depth.max(right.depth);
            let term = build::operator(left.term, op, right.term);
            left = self.node(term, depth.plus(2))?;
        }
        Ok(left)
    }

    fn operator(&self, level: u8) -> Option<BinaryOp<&'s str>> {
        use BinaryOp as Op;
        let op = match (level, self.token.tok) {
            (2, Tok::Word("or")) => Op::Or,
            (3, Tok::Word("and")) => Op::And,
            (0, Tok::Symbol("//")) => Op::Alt,
            (1, Tok::Symbol(symbol)) => match symbol {
                "=" => Op::Assign,
                "|=" => Op::Update,
                "+=" => Op::UpdateMath(Math::Add),
                "-=" => Op::UpdateMath(Math::Sub),
                "*=" => Op::UpdateMath(Math::Mul),
                "/=" => Op::UpdateMath(Math::Div),
                "%=" => Op::UpdateMath(Math::Rem),
                "//=" => Op::UpdateAlt,
                _ => return None,
            },
            (4, Tok::Symbol(symbol)) => Op::Cmp(match symbol {
                "==" => Cmp::Eq,
                "!=" => Cmp::Ne,
                "<" => Cmp::Lt,
                "<=" => Cmp::Le,
                ">" => Cmp::Gt,
                ">=" => Cmp::Ge,
                _ => return None,
            }),
            (5, Tok::Symbol("+")) => Op::Math(Math::Add),
            (5, Tok::Symbol("-")) => Op::Math(Math::Sub),
            (6, Tok::Symbol("*")) => Op::Math(Math::Mul),
            (6, Tok::Symbol("/")) => Op::Math(Math::Div),
            (6, Tok::Symbol("%")) => Op::Math(Math::Rem),
            _ => return None,
        };
        Some(op)
    }

    /// `-x`, `try x`, or a term.
    fn prefixed(&mut self) -> Result<Node<'s>> {
        if self.eat("-")? {
            let inner = self.nested(Self::prefixed)?;
            return self.node(Term::Neg(Box::new(inner.term)), inner.depth);
        }
        self.term()
    }

    /// A term with everything that may follow it: `.a`, `[…]`, `?`.
    fn term(&mut self) -> Result<Node<'s>> {
        let head = self.nested(Self::head)?;
        self.suffixes(head)
    }

    fn suffixes(&mut self, head: Node<'s>) -> Result<Node<'s>> {
        let Node {
            mut term,
            mut depth,
        } = head;
        let mut parts = Vec::new();
        loop {
            let part = match self.token.tok {
                Tok::Field(name) => {
                    self.advance()?;
                    Part::Index(build::text(name))
                }
                Tok::Symbol(".") => {
                    self.advance()?;
                    match self.token.tok {
                        Tok::Quote | Tok::Format(_) => {
                            let key = self.string()?;
                            depth = depth.max(key.depth);
                            Part::Index(key.term)
                        }
                        Tok::Symbol("[") => self.bracket(&mut depth)?,
                        _ => return Err(self.unexpected("a key after the dot")),
                    }
                }
                Tok::Symbol("[") => self.bracket(&mut depth)?,
                Tok::Symbol("?") => {
                    // After something other than a path, `?` is a `try` around all of it.
                    if !parts.is_empty() {
                        term = build::path(term, std::mem::take(&mut parts), self.arena);
                    }
                    self.advance()?;
                    term = Term::TryCatch(Box::new(term), None);
                    depth = depth.plus(1);
                    continue;
                }
                _ => break,
            };
            // A second one is a `try` around all of it.
            let opt = match self.eat("?")? {
                true => Opt::Optional,
                false => Opt::Essential,
            };
            parts.push((part, opt));
            if parts.len() as u32 > MAX_TERM_DEPTH {
                return Err(self.here("the path has too many parts"));
            }
        }
        depth = depth.plus(parts.len() as u32);
        if !parts.is_empty() {
            term = build::path(term, parts, self.arena);
        }
        self.node(term, depth)
    }

    /// `[]`, `[x]`, `[x:y]`
    fn bracket(&mut self, depth: &mut Depth) -> Result<Part<Tm<'s>>> {
        self.expect("[")?;
        if self.eat("]")? {
            return Ok(Part::Range(None, None));
        }
        let mut inner = |p: &mut Self| -> Result<Tm<'s>> {
            let node = p.query()?;
            *depth = (*depth).max(node.depth);
            Ok(node.term)
        };
        let part = if self.eat(":")? {
            Part::Range(None, Some(inner(self)?))
        } else {
            let from = inner(self)?;
            if !self.eat(":")? {
                Part::Index(from)
            } else if self.is("]") {
                Part::Range(Some(from), None)
            } else {
                Part::Range(Some(from), Some(inner(self)?))
            }
        };
        self.expect("]")?;
        Ok(part)
    }

    fn head(&mut self) -> Result<Node<'s>> {
        let token = self.token;
        match token.tok {
            Tok::Number(text) => {
                self.advance()?;
                Ok(self.leaf(Term::Num(text)))
            }
            Tok::Quote => self.string(),
            Tok::Format(name) => {
                self.advance()?;
                if self.token.tok == Tok::Quote {
                    self.string_with(Some(name))
                } else {
                    Ok(self.leaf(build::format(name)))
                }
            }
            // The suffix is read by the caller.
            Tok::Field(_) => Ok(self.leaf(Term::Id)),
            Tok::Symbol(".") => {
                let mut ahead = self.lexer.clone();
                let next = ahead.next()?;
                // `."a"`, `.["a"]`: a path on the value itself.
                if !matches!(next.tok, Tok::Quote | Tok::Format(_) | Tok::Symbol("[")) {
                    self.advance()?;
                }
                Ok(self.leaf(Term::Id))
            }
            Tok::Symbol("..") => {
                self.advance()?;
                Ok(self.leaf(Term::Recurse))
            }
            Tok::Symbol("(") => {
                self.advance()?;
                let inner = self.query()?;
                self.expect(")")?;
                Ok(inner)
            }
            Tok::Symbol("[") => {
                self.advance()?;
                if self.eat("]")? {
                    return Ok(self.leaf(Term::Arr(None)));
                }
                let inner = self.query()?;
                self.expect("]")?;
                self.node(build::array(inner.term), inner.depth)
            }
            Tok::Symbol("{") => self.object(),
            Tok::Var(name) => {
                self.advance()?;
                match name {
                    "$__loc__" => {
                        let line = self.lexer_line(token.at);
                        Ok(self.leaf(build::location(line, self.arena)))
                    }
                    "$ENV" => Ok(self.leaf(Term::Obj(Vec::new()))),
                    _ => Ok(self.leaf(Term::Var(name))),
                }
            }
            Tok::Word(word) => self.word(word),
            Tok::Symbol(_) | Tok::End => Err(self.unexpected("a value or a path")),
        }
    }

    fn lexer_line(&self, at: usize) -> usize {
        self.lexer.line(at)
    }

    fn word(&mut self, word: &'s str) -> Result<Node<'s>> {
        match word {
            "if" => self.condition(),
            "try" => {
                self.advance()?;
                let body = self.nested(Self::try_part)?;
                let catch = if self.eat_word("catch")? {
                    Some(self.nested(Self::try_part)?)
                } else {
                    None
                };
                let depth = body
                    .depth
                    .max(catch.as_ref().map(|catch| catch.depth).unwrap_or_default());
                self.node(
                    Term::TryCatch(Box::new(body.term), catch.map(|catch| Box::new(catch.term))),
                    depth,
                )
            }
            "reduce" | "foreach" => self.fold(word),
            "break" => {
                self.advance()?;
                let Tok::Var(name) = self.token.tok else {
                    return Err(self.unexpected("a label such as `$out`"));
                };
                self.advance()?;
                Ok(self.leaf(Term::Break(name)))
            }
            _ if KEYWORDS.contains(&word) => Err(self.unexpected("a value or a path")),
            _ => {
                self.advance()?;
                let mut args = Vec::new();
                let mut depth = Depth::default();
                if self.eat("(")? {
                    loop {
                        let arg = self.query()?;
                        depth = depth.max(arg.depth);
                        args.push(arg.term);
                        if !self.eat(";")? {
                            break;
                        }
                    }
                    self.expect(")")?;
                }
                self.node(build::call(word, args), depth)
            }
        }
    }

    /// The body of `try` and `catch`: a term, after any minus signs.
    fn try_part(&mut self) -> Result<Node<'s>> {
        self.prefixed()
    }

    fn condition(&mut self) -> Result<Node<'s>> {
        self.expect_word("if")?;
        let mut branches = Vec::new();
        let mut depth = Depth::default();
        let otherwise = loop {
            let condition = self.query()?;
            self.expect_word("then")?;
            let then = self.query()?;
            // jaq makes a chain of `elif` into nested conditions.
            depth = depth.max(condition.depth).max(then.depth).plus(1);
            branches.push((condition.term, then.term));
            if self.eat_word("elif")? {
                continue;
            }
            if self.eat_word("else")? {
                let otherwise = self.query()?;
                depth = depth.max(otherwise.depth.plus(branches.len() as u32));
                break Some(Box::new(otherwise.term));
            }
            break None;
        };
        if !self.eat_word("end")? {
            return Err(self.unexpected("`elif`, `else` or `end`"));
        }
        self.node(Term::IfThenElse(branches, otherwise), depth)
    }

    /// `reduce xs as $x (init; update)`, `foreach xs as $x (init; update; extract)`
    fn fold(&mut self, word: &'s str) -> Result<Node<'s>> {
        self.advance()?;
        let xs = self.nested(Self::prefixed)?;
        self.expect_word("as")?;
        let patterns = self.patterns()?;
        self.expect("(")?;
        let mut args = vec![self.query()?];
        while self.eat(";")? {
            args.push(self.query()?);
        }
        let most = if word == "reduce" { 2 } else { 3 };
        if args.len() < 2 || args.len() > most {
            return Err(self.unexpected(if args.len() < 2 { "`;`" } else { "`)`" }));
        }
        self.expect(")")?;
        let depth = args
            .iter()
            .fold(xs.depth, |depth, arg| depth.max(arg.depth));
        let args = args.into_iter().map(|arg| arg.term).collect();
        self.node(build::fold(word, xs.term, patterns, args), depth.plus(4))
    }

    fn object(&mut self) -> Result<Node<'s>> {
        self.expect("{")?;
        let mut members = Vec::new();
        let mut depth = Depth::default();
        while !self.is("}") {
            let (key, value) = self.member()?;
            depth = depth
                .max(key.depth)
                .max(value.as_ref().map(|value| value.depth).unwrap_or_default())
                .plus(1);
            members.push((key.term, value.map(|value| value.term)));
            if !self.eat(",")? {
                break;
            }
        }
        self.expect("}")?;
        self.node(build::object(members, self.arena), depth.plus(1))
    }

    fn member(&mut self) -> Result<(Node<'s>, Option<Node<'s>>)> {
        let token = self.token;
        let key = match token.tok {
            Tok::Word(name) => {
                self.advance()?;
                self.leaf(build::text(name))
            }
            Tok::Var("$__loc__") => {
                self.advance()?;
                let line = self.lexer_line(token.at);
                return Ok((
                    self.leaf(build::text("__loc__")),
                    Some(self.leaf(build::location(line, self.arena))),
                ));
            }
            Tok::Var(name) => {
                self.advance()?;
                if !self.is(":") {
                    return Ok((
                        self.leaf(build::text(&name[1..])),
                        Some(self.leaf(Term::Var(name))),
                    ));
                }
                self.leaf(Term::Var(name))
            }
            Tok::Quote => self.string()?,
            Tok::Format(name) => {
                self.advance()?;
                self.string_with(Some(name))?
            }
            Tok::Symbol("(") => {
                self.advance()?;
                let key = self.query()?;
                self.expect(")")?;
                if !self.is(":") {
                    return Err(self.unexpected("`:`"));
                }
                let no_string = match &key.term {
                    Term::Num(_) | Term::Arr(None) => true,
                    Term::Obj(members) => members.is_empty(),
                    Term::Call("true" | "false" | "null", args) => args.is_empty(),
                    _ => false,
                };
                if no_string {
                    return Err(self.lexer.error(token.at, "object keys are strings"));
                }
                key
            }
            Tok::Number(_) => {
                return Err(self.here("object keys are strings: put the number in quotes"));
            }
            _ => return Err(self.unexpected("a key or `}`")),
        };
        let value = if self.eat(":")? {
            Some(self.nested(Self::member_value)?)
        } else {
            None
        };
        Ok((key, value))
    }

    /// Anything but a comma, a binding or a definition.
    fn member_value(&mut self) -> Result<Node<'s>> {
        let left = self.operators(0)?;
        if self.eat("|")? {
            let right = self.nested(Self::member_value)?;
            let depth = left.depth.max(right.depth);
            return self.node(build::pipe(left.term, right.term), depth);
        }
        Ok(left)
    }

    fn string(&mut self) -> Result<Node<'s>> {
        if let Tok::Format(name) = self.token.tok {
            self.advance()?;
            return self.string_with(Some(name));
        }
        self.string_with(None)
    }

    /// Reads a string from its opening quote, which is the current token.
    fn string_with(&mut self, format: Option<&'s str>) -> Result<Node<'s>> {
        if self.token.tok != Tok::Quote {
            return Err(self.unexpected("a string"));
        }
        let start = self.token.at;
        let mut parts = Vec::new();
        let mut depth = Depth::default();
        loop {
            let rest = self.lexer.rest();
            let Some(end) = rest.find(['"', '\\']) else {
                return Err(self.lexer.error(start, "the string has no closing quote"));
            };
            if end > 0 {
                parts.push(StrPart::Str(&rest[..end]));
                self.lexer.advance(end);
            }
            if rest[end..].starts_with('"') {
                self.lexer.advance(1);
                break;
            }
            if rest[end + 1..].starts_with('(') {
                self.lexer.advance(2);
                self.advance()?;
                let inner = self.query()?;
                depth = depth.max(inner.depth).plus(1);
                if !self.is(")") {
                    return Err(self.unexpected("`)`"));
                }
                // The lexer stands right behind the parenthesis: the string goes on there.
                parts.push(StrPart::Term(inner.term));
            } else {
                parts.push(StrPart::Char(self.escape()?));
            }
        }
        self.token = self.lexer.next()?;
        self.node(build::string(format, parts, self.arena), depth.plus(2))
    }

    /// `\n`, `\u00e9`, `\ud83d\ude00`; the lexer stands at the backslash.
    fn escape(&mut self) -> Result<char> {
        let at = self.lexer.at();
        let rest = self.lexer.rest();
        let (c, len) = match rest.as_bytes().get(1) {
            Some(c @ (b'"' | b'\\' | b'/')) => (char::from(*c), 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => {
                let unit = |from: usize| -> Option<u32> {
                    let digits = rest
                        .get(from..from + 4)
                        .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
                    u32::from_str_radix(digits, 16).ok()
                };
                let first = unit(2)
                    .ok_or_else(|| self.lexer.error(at, "`\\u` takes four hexadecimal digits"))?;
                let second = rest.get(6..8).filter(|s| *s == "\\u").and_then(|_| unit(8));
                match (char::from_u32(first), second) {
                    (Some(c), _) => (c, 6),
                    (None, Some(second)) => {
                        let both = [first as u16, second as u16];
                        match char::decode_utf16(both).next() {
                            Some(Ok(c)) => (c, 12),
                            _ => return Err(self.lexer.error(at, "half of a surrogate pair")),
                        }
                    }
                    (None, None) => return Err(self.lexer.error(at, "half of a surrogate pair")),
                }
            }
            _ => {
                return Err(self
                    .lexer
                    .error(at, "unknown escape: `\\\\` is a backslash in a string"));
            }
        };
        self.lexer.advance(len);
        Ok(c)
    }

    fn defs(&mut self) -> Result<Vec<Def<&'s str>>> {
        let mut defs = Vec::new();
        while self.eat_word("def")? {
            let name = match self.token.tok {
                Tok::Word(name) => name,
                Tok::Format(name) => name,
                _ => return Err(self.unexpected("a name to define")),
            };
            self.advance()?;
            let mut args = Vec::new();
            if self.eat("(")? {
                loop {
                    let (Tok::Word(arg) | Tok::Var(arg)) = self.token.tok else {
                        return Err(self.unexpected("a parameter"));
                    };
                    self.advance()?;
                    args.push(arg);
                    if !self.eat(";")? {
                        break;
                    }
                }
                self.expect(")")?;
            }
            self.expect(":")?;
            let body = self.query()?;
            self.expect(";")?;
            defs.push(build::definition(name, args, body.term));
        }
        Ok(defs)
    }
}
