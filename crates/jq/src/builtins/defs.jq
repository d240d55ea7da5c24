# Functions that are shorter in jq than in Rust. A definition sees those above it.

def tostring: "\(.)";
def map(f): [.[] | f];
def select(f): if f then . else empty end;
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def finites: select(isfinite);
def normals: select(isnormal);
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(_iterable);
def scalars: select(_iterable | not);
def toarray: if type == "array" then . else [.] end;

def error(message): message | error;
def halt_error: halt_error(5);

# Repetition
def recurse: ..;
def recurse(f): def loop: ., (f | loop); loop;
def recurse(f; condition): def loop: ., (f | select(condition) | loop); loop;
def repeat(f): def loop: f, loop; loop;
def while(condition; f): def loop: if condition then ., (f | loop) else empty end; loop;
def until(condition; f): def loop: if condition then . else f | loop end; loop;
def range($upto): _range(0; $upto);
def range($from; $upto): _range($from; $upto);
def range($from; $upto; $by): _range_by($from; $upto; $by);
def inputs: empty;
def input: error("break");
def debug: .;
def debug(messages): (messages | empty), .;
def stderr: .;
def input_filename: null;
def input_line_number: error("Unknown input line number");
def get_search_list: [];
def have_literal_numbers: true;
def have_decnum: true;

# Choosing among outputs
def _countdown($n; counted; f): if $n | type == "number" then counted else f | $n - 1 end;
def limit($n; f):
  if $n > 0 then _countdown($n; _limit($n; f); f) elif $n == 0 then empty else error("limit doesn't support negative count") end;
def skip($n; f):
  if $n > 0 then _countdown($n; _skip($n | floor; f); f) elif $n == 0 then f else error("skip doesn't support negative count") end;
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def nth($n; f): if $n < 0 then error("nth doesn't support negative indices") else first(skip($n; f)) end;
def isempty(f): first((f | false), true);
def all(f; condition): isempty(first(f | condition and empty));
def any(f; condition): isempty(first(f | condition or empty)) | not;
def all(condition): all(.[]; condition);
def any(condition): any(.[]; condition);
def all: all(.[]; .);
def any: any(.[]; .);
def IN(values): any(values == .; .);
def IN(f; values): any(f == values; .);

# Paths and updates
def paths: path(..) | select(length > 0);
def paths(f): path(.. | select(f)) | select(length > 0);
def leaf_paths: paths(scalars);
def del(f): delpaths([path(f)]);
def map_values(f): .[] |= f;
def _assign(target; $value): reduce path(target) as $path (.; setpath($path; $value));
def _modify(target; f):
  reduce path(target) as $path ([., []];
    .[0] as $value | .[1] as $removed
    | [first($value | getpath($path) | f)] as $new
    | if $new == [] then [$value, $removed + [$path]] else [($value | setpath($path; $new[0])), $removed] end)
  | .[1] as $removed | .[0] | if $removed == [] then . else delpaths($removed) end;
def pick(f): . as $dot | reduce path(f) as $path (null; setpath($path; $dot | getpath($path)));
def tostream:
  path(def loop: (.[]? | loop), .; loop) as $path
  | getpath($path)
  | reduce path(.[]?) as $key ([$path, .]; [$path + $key]);
def fromstream(events):
  {value: null, done: false} as $fresh
  | foreach events as $event ($fresh;
      (if .done then $fresh else . end)
      | if $event | length == 2
        then setpath(["done"]; $event[0] | length == 0) | setpath(["value"] + $event[0]; $event[1])
        else setpath(["done"]; $event[0] | length == 1)
        end;
      if .done then .value else empty end);
def truncate_stream(events):
  . as $depth | null | events | . as $event
  | if (.[0] | length) > $depth then setpath([0]; $event[0][$depth:]) else empty end;

# Collections
def add(f): [f] | add;
def sort_by(f): _sort_by(map([f]));
def group_by(f): _group_by(map([f]));
def unique_by(f): _group_by(map([f])) | map(.[0]);
def unique: _group_by(map([.])) | map(.[0]);
def min_by(f): _min_by(map([f]));
def max_by(f): _max_by(map([f]));
def with_entries(f): to_entries | map(f) | from_entries;
def in(container): . as $key | container | has($key);
def inside(container): . as $part | container | contains($part);
def index($wanted): indices($wanted) | .[0];
def rindex($wanted): indices($wanted) | .[-1:][0];
def flatten: flatten(1000000000);
def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $rest | [$x] + $rest end;
def combinations(n): . as $dot | [range(n) | $dot] | combinations;
def INDEX(rows; f): reduce rows as $row ({}; .[$row | f | tostring] = $row);
def INDEX(f): INDEX(.[]; f);
def JOIN($index; f): [.[] | [., $index[f]]];
def JOIN($index; rows; f): rows | [., $index[f]];
def JOIN($index; rows; f; join): rows | [., $index[f]] | join;

# Numbers
def abs: if . < 0 then -. else . end;
def gamma: lgamma;
def pow10: exp10;
def logb: if . == 0 then -infinite elif isinfinite then infinite elif isnan then . else ilogb end;
def significand: if . == 0 or isinfinite or isnan then . else scalbln(.; -ilogb) end;
def drem($x; $y): remainder($x; $y);
def nexttoward($x; $y): nextafter($x; $y);
def scalb($x; $e): ($x | fabs) as $number | $x * pow(2; $e);
def lgamma_r: [lgamma, (if . < 0 and floor != . and floor % 2 != 0 then -1 else 1 end)];

# Text
def ascii: [.] | implode;
def trimstr($x): ltrimstr($x) | rtrimstr($x);
def match($re; $flags): _match($re; $flags) | .[];
def match($re): _match($re; null) | .[];
def test($re): test($re; null);
def capture($re; $flags): match($re; $flags) | _captured;
def capture($re): match($re) | _captured;
def scan($re; $flags): _match($re; "g" + $flags) | .[] | if .captures == [] then .string else [.captures[].string] end;
def scan($re): scan($re; null);
def splits($re; $flags): split($re; $flags) | .[];
def splits($re): split($re; null) | .[];
def sub($re; f): sub($re; f; "");
def gsub($re; f; $flags): sub($re; f; $flags + "g");
def gsub($re; f): sub($re; f; "g");

# Times
def todateiso8601: strftime("%Y-%m-%dT%H:%M:%SZ");
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def todate: todateiso8601;
def fromdate: fromdateiso8601;
def date: todate;
def dateadd(unit; $n): . + $n;
def datesub(unit; $n): . - $n;
