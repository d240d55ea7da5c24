//! No program hangs, exhausts the stack or takes all memory: its record fails, and the next evaluation works.

use longshore_jq::{EvalErrorKind, Filter, Val};
use serde_json::json;
use std::time::{Duration, Instant};

/// Evaluates on a thread with the stack that threads usually have.
fn evaluate(program: &str, input: &Val) -> (Result<Option<Val>, EvalErrorKind>, Duration) {
    let filter = Filter::compile(program).unwrap_or_else(|e| panic!("{program}: {e}"));
    let input = input.clone();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let run = move || {
        let start = Instant::now();
        let result = filter.first(&input).map_err(|e| e.kind());
        (result, start.elapsed())
    };
    let running = thread
        .spawn(run)
        .unwrap_or_else(|e| panic!("no thread: {e}"));
    running.join().unwrap_or_else(|_| panic!("{program}"))
}

/// What one evaluation may take here, where other tests run beside it.
const MOST: Duration = Duration::from_secs(2);

#[track_caller]
fn assert_limited(programs: &[&str]) {
    for program in programs {
        let (result, time) = evaluate(program, &Val::from_json(&json!({"a": 1})));
        assert_eq!(result, Err(EvalErrorKind::Limit), "{program}");
        assert!(time < MOST, "{program} took {time:?}");
    }
    assert_eq!(
        evaluate(".a + 1", &Val::from_json(&json!({"a": 1}))).0,
        Ok(Some(Val::from(2u64)))
    );
}

#[test]
fn endless_recursion_ends() {
    assert_limited(&[
        "def f: 1 + f; f",
        "def f: f; f",
        "def f: [f]; f",
        "def f: f | f; f",
        "def f: f, f; last(f)",
        "def f: try f catch f; f",
        "def f: (f // f); f",
        "def f(g): f(g); f(.)",
        "def f(g): f(g | .); f(.)",
        "def f(g): 1 + f(g); f(.)",
        "def f(g; $x): f(g; $x + 1); f(.; 1)",
        "def f($x): f($x + 1); f(1)",
        "def f: def g: f; g; f",
        "def f: reduce f as $x (0; 1); f",
    ]);
}

#[test]
fn endless_loops_end() {
    assert_limited(&[
        "last(repeat(1))",
        "[repeat(1)]",
        "first(repeat(empty))",
        "isempty(repeat(empty))",
        "until(false; .)",
        "last(while(true; .))",
        "last(recurse(.))",
        "last(recurse([.]))",
        "[range(1e12)]",
        "last(range(1e12))",
        "last(limit(1e18; repeat(1)))",
        "reduce range(1e12) as $i (0; . + 1)",
        "last(foreach range(1e12) as $i (0; . + 1))",
        "[range(100000)] | last(combinations(3))",
        "[range(30000)] as $x | [$x[] as $a | $x[] as $b | $a * $b] | length",
        "last(label $out | repeat(.))",
    ]);
}

#[test]
fn endless_paths_and_updates_end() {
    assert_limited(&[
        "null | path(def f: .a | f; f)",
        "null | path(until(false; .a))",
        "null | [path(repeat(.a))]",
        "null | [path(recurse(.a))]",
        "null | (recurse(.a)) |= .",
        "null | until(false; .a) |= 1",
        "null | del(recurse(.a))",
    ]);
}

#[test]
fn exploding_values_end() {
    let doubled = "(0,1)|".repeat(60) + ".";
    assert_limited(&[
        "\"x\" * 1e10",
        "reduce range(100) as $i (\"x\"; . + .)",
        "reduce range(100) as $i ([1]; . + .)",
        "reduce range(1000000) as $i (null; [.])",
        "reduce range(1000000) as $i (null; {a: .})",
        "reduce range(1000000) as $i (null; setpath([\"a\"]; .))",
        "last(range(1e9) | [limit(1000; repeat(\"x\" * 100))])",
        "[limit(1e9; repeat(1))] | length",
        "null | .[500000000] = 1",
        "reduce range(200) as $i (1; [., .]) | tojson | length",
        "reduce range(200) as $i (1; {a: ., b: .}) | [..] | length",
        "reduce range(200) as $i (1; [., .]) | . == (. + [])",
        "reduce range(200) as $i ([]; . + [.])",
        "reduce range(200) as $i ({}; .a = . | .b = .a)",
        "[range(300)] | reduce range(10) as $i (.; [.[] as $x | .[]])",
        "setpath([range(1000) | 0]; 1)",
        &format!("last({doubled})"),
        &format!("[{doubled}] | length"),
        &format!("reduce ({doubled}) as $x (0; . + $x)"),
    ]);
}

#[test]
fn a_body_that_is_copied_for_each_of_its_records_ends() {
    let item = |i: u64| json!({"id": i, "name": format!("item number {i}"), "text": "a line\n".repeat(20)});
    let body = json!({"items": (0..5000).map(item).collect::<Vec<_>>()}).to_string();
    let body = Val::read_page(body).unwrap();
    for program in [
        ". as $all | [.items[] | ($all | tostring)]",
        ". as $all | [.items[] | \"\\($all)\"]",
        "(. | tostring) as $all | [.items[] | ($all | trim | ascii_downcase)]",
        "(. | tostring) as $all | [.items[] | ($all | match(\"^.*$\").string)]",
        ". as $all | [.items[] | ($all.items + [1])]",
    ] {
        let (result, time) = evaluate(program, &body);
        assert_eq!(result, Err(EvalErrorKind::Limit), "{program}");
        assert!(time < MOST, "{program} took {time:?}");
    }
}

#[test]
fn a_regular_expression_that_tries_for_ever_ends() {
    assert_limited(&[
        r#"("a" * 60 + "b") | test("^(a+|aa)+(?=c)\\1$")"#,
        r#"("a" * 40 + "b") | test("^(a|a?)+\\1x$")"#,
        r#"("ab" * 100000) | [match("(?<=a)b|(?!x)a"; "g")] | [.[] | tojson | fromjson] | [.[] as $x | .[]] | length"#,
    ]);
}

#[test]
fn deep_data_in_text_is_an_error_of_the_program() {
    let kind = |program| evaluate(program, &Val::null()).0;
    assert_eq!(kind("\"[\" * 200000 | fromjson"), Err(EvalErrorKind::Data));
    assert_eq!(
        kind("\"{\\\"a\\\":\" * 200000 | fromjson"),
        Err(EvalErrorKind::Data)
    );
    assert_eq!(
        kind("try (\"[\" * 200000 | fromjson) catch \"bad\""),
        Ok(Some(Val::from("bad")))
    );
}

#[test]
fn the_deepest_values_can_be_worked_on() {
    // As deep as JSON is read, and a little deeper than any API's.
    let mut deep = Val::from(1u64);
    for i in 0..120 {
        deep = if i % 2 == 0 {
            Val::from(vec![deep])
        } else {
            Val::from_json(&json!({"a": deep.to_json()}))
        };
    }
    for program in [
        "tojson | length > 100",
        "[..] | length == 121",
        "[paths] | length == 120",
        "[tostream] | length > 1",
        "fromstream(tostream) == .",
        ". == .",
        "walk(.) == .",
        "[., .] | unique | length == 1",
        "[leaf_paths] | length == 1",
        "flatten | length == 1",
        "getpath([paths] | last) == 1",
        "(.. | numbers) |= 2 | [.. | numbers] == [2]",
        "del(.. | numbers) | tojson | length > 100",
        "tojson | fromjson | tojson | length > 100",
        "[., {a: .}] | sort | length == 2",
        "contains(.)",
        ". * . | length == 1",
    ] {
        let object = Val::from_json(&json!({"x": deep.to_json()}));
        let input = if program.contains(". * .") {
            &object
        } else {
            &deep
        };
        assert_eq!(
            evaluate(program, input).0,
            Ok(Some(Val::from(true))),
            "{program}"
        );
    }
}

#[test]
fn nothing_catches_a_limit() {
    assert_limited(&[
        "try last(repeat(1)) catch 1",
        "last(repeat(1))? // 1",
        "(last(repeat(1)))? // 1",
        "first(try (\"x\" * 1e10) catch 1)",
        "[.[]? , (\"x\" * 1e10)?] | length",
    ]);
}

#[test]
fn a_program_sees_no_environment_and_no_input_and_cannot_end_the_process() {
    let eval = |program| evaluate(program, &Val::from(1u64)).0;
    assert_eq!(eval("env"), Ok(Some(Val::from_json(&json!({})))));
    assert_eq!(eval("$ENV"), Ok(Some(Val::from_json(&json!({})))));
    assert_eq!(eval("$ENV.PATH, env.PATH"), Ok(Some(Val::null())));
    assert_eq!(eval("[inputs]"), Ok(Some(Val::from_json(&json!([])))));
    assert_eq!(eval("input"), Err(EvalErrorKind::Raised));
    assert_eq!(eval("debug | stderr"), Ok(Some(Val::from(1u64))));
    for program in [
        "halt",
        "halt_error",
        "halt_error(1)",
        "\"bye\" | halt_error",
        "try halt catch 1",
        "halt // 1",
        "[halt]",
    ] {
        assert_eq!(eval(program), Err(EvalErrorKind::Halt), "{program}");
    }
}

#[test]
fn programs_that_are_too_long_or_too_deep_do_not_compile() {
    for program in [
        "(".repeat(30_000) + "1" + &")".repeat(30_000),
        "[".repeat(30_000) + &"]".repeat(30_000),
        "-".repeat(60_000) + "1",
        ".a".repeat(30_000),
        ".|".repeat(30_000) + ".",
        "1,".repeat(30_000) + "1",
        "1+".repeat(30_000) + "1",
        "1//".repeat(20_000) + "1",
        ".?".repeat(30_000),
        "\"\\(".repeat(10_000) + "1" + &")\"".repeat(10_000),
        "if 1 then 1 elif ".repeat(3_000) + "1 then 1 end",
        "def f: ".repeat(5_000) + "1" + &"; f".repeat(5_000),
        "try ".repeat(15_000) + "1",
        ". as [".repeat(9_000),
        "x".repeat(70_000),
    ] {
        let start = &program[..20];
        assert!(Filter::compile(&program).is_err(), "{start}");
    }
}

#[test]
fn programs_nested_as_deeply_as_people_write_them_work() {
    let sum = "1+".repeat(150) + "1";
    let chain = ".|".repeat(100) + ".a";
    let mut ladder = String::from("if .a == 100 then 0");
    for i in 1..60 {
        ladder += &format!(" elif .a == {} then {i}", i + 100);
    }
    ladder += " else 7 end";
    let object = format!(
        "{{{}}} | length",
        (0..80)
            .map(|i| format!("k{i}: .a"))
            .collect::<Vec<_>>()
            .join(",")
    );
    let parens = "(".repeat(50) + ".a" + &")".repeat(50);
    let text = "\"".to_owned() + &"\\(.a)-".repeat(60) + "\" | length";
    let input = Val::from_json(&json!({"a": 5}));
    for (program, output) in [
        (sum, 151u64),
        (chain, 5),
        (ladder, 7),
        (object, 80),
        (parens, 5),
        (text, 120),
    ] {
        assert_eq!(
            evaluate(&program, &input).0,
            Ok(Some(Val::from(output))),
            "{program}"
        );
    }
}

#[test]
fn functions_that_go_over_their_input_many_times_end() {
    for program in [
        r#"[range(100000)] as $a | $a - $a | length == 0"#,
        r#"[range(50000) | [.]] | . - . | length == 0"#,
        r#"[limit(20000; repeat(0))] | indices([limit(10000; repeat(0))] + [1]) | length == 0"#,
        r#"("a" * 1000000) | indices("a" * 500000) | length > 0"#,
        r#"("a" * 1000000 + "b") | indices("a" * 500000 + "b") | length > 0"#,
        r#"1 | strftime("%c" * 1000000) | length > 0"#,
        r#"1 | strftime("%255d" * 5000000) | length > 0"#,
        r#"1 | strftime("%U%V%j%W" * 1000000) | length > 0"#,
        r#"("2024 " * 100000) | strptime("%Y " * 100000) | length > 0"#,
        r#"[range(100000)] as $a | $a | contains($a)"#,
        r#"[range(3000) | {a: "x\(.)"}] as $a | $a | contains($a)"#,
        r#"("a" * 8000) as $s | [range(8000) | $s] as $a | $a | contains([$a[] | . + "b"])"#,
        r#"[range(1000) | {key: "k\(.)", value: .}] | from_entries as $o | [range(2000) | {a: $o, b: (. * 7919 % 2003)}] | sort | length > 0"#,
        r#"[range(1000) | {key: "k\(.)", value: .}] | from_entries as $o | [range(2000) | {a: ($o + {}), b: (. * 7919 % 2003)}] | unique | length > 0"#,
        r#"[range(1000)] as $o | [range(3000) | [$o + [], . * 7919 % 3001]] | sort_by(.) | length > 0"#,
        r#"[range(300000) | . * 7919 % 300007] | sort | unique | group_by(. % 3) | length > 0"#,
        r#"[range(100000)] | del(.[range(50000)]) | length == 50000"#,
        r#"[range(50000) | {key: "k\(.)", value: .}] | from_entries | delpaths([keys[] | [.]]) | length == 0"#,
        r#"("gICA" * 200000) | @base64d | length > 0"#,
        r#"reduce range(22) as $i ([]; [., .]) | flatten | length == 0"#,
        r#"([range(100000) | "abcdefgh"]) as $a | [range(200) | "\($a)" | length] | length > 0"#,
        r#"([range(100000) | "abcdefgh"]) as $a | [range(200) | ($a | tojson, @text, @html, @uri, @base64) | length] | length > 0"#,
        r#"("ab" * 1000000) as $s | [range(2000) | $s | ascii_downcase | length] | length > 0"#,
        r#"("ab" * 1000000) as $s | [range(2000) | $s | explode | implode | length] | length > 0"#,
        r#"("a b " * 500000) as $s | [range(2000) | $s | split(" ") | join("-") | length] | length > 0"#,
        r#"("ab" * 1000000) as $s | [range(20000) | $s | startswith($s), endswith($s), length, utf8bytelength, trim == $s] | length > 0"#,
        r#"("a" * 4000000) as $s | [range(20000) | $s | (test("b"), ltrimstr("a"), .[1:], @csv "\([.])") | length?] | length > 0"#,
        r#"[range(2000) | [range(2000)]] | transpose | length > 0"#,
        r#"[range(100000)] | [combinations(2)] | length > 0"#,
        r#"[range(1000000)] | to_entries | from_entries? // 1 | length > 0"#,
        r#"[range(100000)] | [tostream] | length > 0"#,
        r#"[range(100000)] as $a | [range(100000) | $a | bsearch(5), index(99999)] | length > 0"#,
        r#"[range(100000)] as $a | [range(100000) | $a | min, max, add, any(. < 0), (map(.) | length)] | length > 0"#,
        r#"[range(100000)] as $a | [range(100000) | $a == ($a | map(.))] | length > 0"#,
        r#"[range(100000)] as $a | [range(100000) | $a < ($a | .[99999] = 0)] | length > 0"#,
        r#"[range(3000) | tostring] | map("(\\w{20}){20}" + . as $p | "x" | test($p)) | length > 0"#,
        r#"("a|" * 500000) as $p | "x" | test($p)"#,
        r#"("(" * 100000 + ")" * 100000) as $p | "x" | test($p)"#,
        r#"("[ab]*a[ab]{900}b") as $p | ("abba" * 500000) | test($p)"#,
    ] {
        let (_, time) = evaluate(program, &Val::null());
        assert!(time < MOST, "{program} took {time:?}");
    }
}

#[test]
fn searches_that_look_ahead_through_long_texts_end() {
    for program in [
        r#"("a" * 100000) | test("(?=.*b)a")"#,
        r#"("a" * 300000) | gsub("(?<=a)(?=.*b)"; "x")"#,
        r#"("a" * 300000) | [match("(?=(.*))a"; "g")] | length"#,
        r#"("a" * 100000) | test("(a(?=.*b)|a)*c")"#,
        r#"("a" * 100000) | test("(?>(a(?=.*a))*)c")"#,
        r#"("a" * 2500) | test("(?>(a(?=.*a))*)c")"#,
        r#"("a" * 1000) | test("(?>(a(?=.*a))*)c")"#,
        r#"("a" * 300) | test("(?>(a(?=(a(?=.*a))*))*)c")"#,
        r#"("a" * 50000) | test("(a*)\\1c")"#,
        r#"("a" * 50000) | test("(?<=a)b(?<!a+)c|d")"#,
        r#"("a" * 7000) | test("^(?:(?=.*b)a|a)*c")"#,
        r#"("a" * 3000) | test("(?:(?=.*b)a|a)*c")"#,
        r#"("ab" * 100000) | test("(?~abc)c")"#,
        r#"("a" * 30000) | test("(?<x>a\\g<x>?b)")"#,
    ] {
        let (result, time) = evaluate(program, &Val::null());
        assert!(time < MOST, "{program} took {time:?}: {result:?}");
    }
}

/// Long texts are searched from each place on its own, and short ones at once: both must find the same.
#[test]
fn long_texts_are_searched_as_short_ones_are() {
    for (program, output) in [
        (
            r#"("a" * 200000 + "b") | [match("(?<=a)b").offset]"#,
            "[200000]",
        ),
        (
            r#"("xy" * 100000) | [match("(?<=x)y(?!x)").offset]"#,
            "[199999]",
        ),
        (
            r#"("é" * 40000 + "b") | [match("(?<=(é))(b)(?!a)") | .offset, .captures[].offset]"#,
            "[40000,39999,40000]",
        ),
        (
            r#"("word " * 4000) | [match("\\b(?=w)(\\w+)"; "g")] | [length, .[3999].captures[0].offset]"#,
            "[4000,19995]",
        ),
        (r#"("line\n" * 20000) | test("^(?!.*foo)line$")"#, "false"),
        (r#"("line\n" * 20000) | test("^(?!.*foo)line")"#, "true"),
        (r#"("a" * 50000) | test("(?!.*b)a")"#, "true"),
        (
            r#"("a" * 5000 + "-" * 100000) | gsub("(?<!-)-+"; "") | length"#,
            "5000",
        ),
    ] {
        let (result, time) = evaluate(program, &Val::null());
        assert_eq!(
            result.map(|v| v.unwrap().to_string()),
            Ok(output.to_owned()),
            "{program}"
        );
        assert!(time < MOST, "{program} took {time:?}");
    }
}
