//! The fault matrix: whatever goes wrong, wherever, however often, no live entity is deleted, what heals loses nothing, what does not
//! is told, and the next clean sync puts everything right.
//!
//! Each case is drawn from its seed. `MATRIX_SEED=17 cargo test --test it matrix` runs one; `cargo test --release -- --ignored matrix_10k`
//! runs ten thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::FutureExt;
use http::{HeaderValue, Method};
use longshore_engine::auth::{
    self, Authenticator, BearerToken, CredentialSource, Issued, Renewing,
};
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::{
    Client, Clock, Exchange, Generation, HttpTransport, Renewal, Request, RetryScope, TokioClock,
    Transport, Unauthenticated, json as body_json,
};
use longshore_engine::{EngineBuilder, Event, Observer, PortSink, PortSinkOptions, Report};
use longshore_testkit::{
    Answer, Call, Fault, FaultPlan, Faulty, Network, Pages, PortDouble, ScriptedApi, Seen,
    serve_faulty,
};
use serde_json::{Value, json};

use crate::rig::{API, PORT};

const CANARIES: [&str; 3] = ["c4n4ry-api-token", "c4n4ry-port-secret", "c4n4ry-query-key"];
const API_TOKEN: &str = CANARIES[0];
const PORT_SECRET: &str = CANARIES[1];
const QUERY_KEY: &str = CANARIES[2];

/// Faults that pass are asked again up to the sixth time.
const HEALING_ANSWERS: u64 = 5;
const NEVER: u64 = u64::MAX;

#[test]
fn no_live_entity_is_lost_whatever_goes_wrong_matrix_500() {
    match std::env::var("MATRIX_SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            println!("{}", check_seeds(seed..=seed));
        }
        Err(_) => check_all_are_drawn(&check_seeds(1..=500)),
    }
}

#[test]
#[ignore = "ten thousand cases take minutes; run them in release"]
fn matrix_10k() {
    let figures = check_seeds(1..=10_000);
    check_all_are_drawn(&figures);
    println!("{figures}");
}

/// The same over real sockets, where faults are what the wire does. Real time, so the waits are short and the cases few.
#[test]
fn no_live_entity_is_lost_whatever_the_wire_does_matrix_wire() {
    // Most of their time is waiting for answers that do not come. A thread for each, since on a busy machine the work of one must not
    // make the answers of another late.
    side_by_side(8, |worker, workers| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        for seed in (1..=48).skip(worker).step_by(workers) {
            runtime.block_on(check_on_the_wire(&Case::draw(seed)));
        }
    });
}

/// Checks cases side by side, as many as there are processors, each in a paused time of its own.
fn check_seeds(seeds: std::ops::RangeInclusive<u64>) -> Figures {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let parts = side_by_side(workers, |worker, workers| {
        let part: Vec<u64> = seeds.clone().skip(worker).step_by(workers).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(check_part(part))
    });
    let mut all = Figures::default();
    for part in parts {
        all.add(part);
    }
    all
}

/// What each worker makes of its number and of how many there are, each on a thread of its own.
fn side_by_side<T: Send>(workers: usize, work: impl Fn(usize, usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..workers)
            .map(|worker| scope.spawn(move || work(worker, workers)))
            .collect();
        parts
            .into_iter()
            .map(|part| match part.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    })
}

async fn check_part(seeds: Vec<u64>) -> Figures {
    let mut figures = Figures::default();
    for seed in seeds {
        let case = Case::draw(seed);
        let outcome = std::panic::AssertUnwindSafe(check(&case, &mut figures))
            .catch_unwind()
            .await;
        if let Err(panic) = outcome {
            eprintln!("MATRIX_SEED={seed}: {case:#?}");
            std::panic::resume_unwind(panic);
        }
    }
    figures
}

/// A draw that leaves something out proves nothing about it.
fn check_all_are_drawn(figures: &Figures) {
    for fault in Fault::ALL {
        assert!(
            figures
                .drawn
                .contains_key(&format!("{:?}", Trouble::Answer(fault))),
            "{fault:?} is never drawn"
        );
    }
    for trouble in Trouble::OF_LISTS {
        assert!(
            figures.drawn.contains_key(&format!("{trouble:?}")),
            "{trouble:?} is never drawn"
        );
    }
    for position in Position::ALL {
        assert!(
            figures.drawn.contains_key(&format!("{position:?}")),
            "{position:?} is never drawn"
        );
    }
    for style in Style::ALL {
        assert!(
            figures.drawn.contains_key(&format!("{style:?}")),
            "{style:?} is never drawn"
        );
    }
    assert!(figures.healed > 0 && figures.unhealed > 0);
}

/// One case of the matrix.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    style: Style,
    tells: Tells,
    /// Credentials that are fetched and renewed, instead of a fixed token.
    renewing: bool,
    size: u64,
    items: u64,
    /// Of each level of parents, how many each of those before it has.
    orgs: u64,
    teams: u64,
    projects: u64,
    members: u64,
    blows: Vec<Blow>,
}

#[derive(Clone, Copy, Debug)]
struct Blow {
    trouble: Trouble,
    position: Position,
    times: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Style {
    Offset,
    Page,
    Cursor,
    NextLink,
    HeaderLink,
}

impl Style {
    const ALL: [Style; 5] = [
        Style::Offset,
        Style::Page,
        Style::Cursor,
        Style::NextLink,
        Style::HeaderLink,
    ];

    fn counts(self) -> bool {
        matches!(self, Style::Offset | Style::Page)
    }
}

/// What the API says about its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tells {
    Nothing,
    Flag,
    Total,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Trouble {
    Answer(Fault),
    /// The position of a page is given again as that of the next.
    RepeatedCursor,
    /// One or two pages without records that say that there is more.
    EmptyPages,
    /// Three of them.
    ManyEmptyPages,
    ForeignLink,
    /// A row comes in front after this page was read.
    RowsAppear,
    /// The first row goes away after this page was read.
    RowsGo,
}

impl Trouble {
    const OF_LISTS: [Trouble; 6] = [
        Trouble::RepeatedCursor,
        Trouble::EmptyPages,
        Trouble::ManyEmptyPages,
        Trouble::ForeignLink,
        Trouble::RowsAppear,
        Trouble::RowsGo,
    ];

    /// Whether lists of this kind can have it, in a way that can be noticed.
    fn fits(self, style: Style, tells: Tells) -> bool {
        match self {
            Trouble::Answer(_) => true,
            Trouble::RepeatedCursor => matches!(style, Style::Cursor | Style::NextLink),
            Trouble::EmptyPages | Trouble::ManyEmptyPages => style == Style::Cursor,
            Trouble::ForeignLink => matches!(style, Style::NextLink | Style::HeaderLink),
            Trouble::RowsAppear | Trouble::RowsGo => style.counts() && tells == Tells::Total,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Position {
    FirstPage,
    MiddlePage,
    LastPage,
    /// The lists of parents, from the first level to the one right above the children.
    Parent,
    SecondParent,
    ThirdParent,
    Child,
    Token,
    PortToken,
    Upsert,
    Owned,
    Delete,
}

impl Position {
    const ALL: [Position; 12] = [
        Position::FirstPage,
        Position::MiddlePage,
        Position::LastPage,
        Position::Parent,
        Position::SecondParent,
        Position::ThirdParent,
        Position::Child,
        Position::Token,
        Position::PortToken,
        Position::Upsert,
        Position::Owned,
        Position::Delete,
    ];

    /// The blueprint whose read is struck.
    fn blueprint(self) -> Option<&'static str> {
        match self {
            Position::FirstPage | Position::MiddlePage | Position::LastPage => Some("item"),
            Position::Parent | Position::SecondParent | Position::ThirdParent | Position::Child => {
                Some("member")
            }
            _ => None,
        }
    }
}

impl Case {
    fn draw(seed: u64) -> Case {
        let mut random = fastrand::Rng::with_seed(seed);
        let style = Style::ALL[random.usize(..5)];
        let tells = match (random.u8(..3), style) {
            (0, _) => Tells::Nothing,
            (1, Style::Cursor | Style::NextLink | Style::Offset | Style::Page) => Tells::Flag,
            _ => Tells::Total,
        };
        let size = random.u64(4..=12);
        let mut items = random.u64(1..=5 * size);
        if tells == Tells::Nothing && items == size {
            // A full first page that says nothing: nobody can know that it was all, and ours says so.
            items -= 1;
        }
        let mut case = Case {
            seed,
            style,
            tells,
            renewing: random.bool(),
            size,
            items,
            orgs: random.u64(1..=2),
            teams: random.u64(1..=2),
            projects: random.u64(1..=2),
            members: random.u64(1..=3),
            blows: Vec::new(),
        };
        let first = case.draw_blow(&mut random);
        let second = case.draw_blow(&mut random);
        case.blows.push(first);
        let apart = first.position.blueprint() != second.position.blueprint();
        let logins = [first, second].iter().any(|blow| {
            matches!(blow.position, Position::Token | Position::PortToken)
                || blow.trouble == Trouble::Answer(Fault::Unauthorized)
        });
        if random.u8(..3) == 0 && apart && !logins {
            case.blows.push(second);
        }
        case
    }

    fn draw_blow(&self, random: &mut fastrand::Rng) -> Blow {
        let fitting: Vec<Trouble> = Trouble::OF_LISTS
            .into_iter()
            .filter(|trouble| trouble.fits(self.style, self.tells) && self.pages() > 2)
            .collect();
        let list_trouble = match fitting.len() {
            0 => None,
            choices => (random.u8(..4) == 0).then(|| fitting[random.usize(..choices)]),
        };
        if let Some(trouble) = list_trouble {
            return Blow {
                trouble,
                position: Position::MiddlePage,
                times: NEVER,
            };
        }
        let mut position = Position::ALL[random.usize(..Position::ALL.len())];
        if position == Position::Token && !self.renewing {
            position = Position::FirstPage;
        }
        let fault = Fault::ALL[random.usize(..Fault::ALL.len())];
        let times = match random.bool() {
            true => random.u64(1..=HEALING_ANSWERS),
            false => NEVER,
        };
        Blow {
            trouble: Trouble::Answer(fault),
            position,
            times,
        }
    }

    fn pages(&self) -> u64 {
        self.items.div_ceil(self.size)
    }

    fn middle(&self) -> u64 {
        self.pages().div_ceil(2)
    }

    fn page_of(&self, position: Position) -> u64 {
        match position {
            Position::MiddlePage => self.middle(),
            Position::LastPage => self.pages(),
            _ => 1,
        }
    }

    /// Whether a sync loses nothing by this.
    fn heals(&self, blow: &Blow) -> bool {
        let fault = match blow.trouble {
            Trouble::EmptyPages => return true,
            Trouble::Answer(fault) => fault,
            _ => return false,
        };
        let is_login = matches!(blow.position, Position::Token | Position::PortToken);
        match fault {
            Fault::IdleClose => true,
            // The first list of what is there is to compare with: without it everything is written. A rejection is answered by a
            // renewal and a repeat there, and by a renewal at the next.
            _ if blow.position == Position::Owned && blow.times == 1 => true,
            Fault::Unauthorized if blow.position == Position::Owned => blow.times <= 3,
            // Credentials are renewed once.
            Fault::Unauthorized => {
                let renewable = self.renewing || blow.position.blueprint().is_none();
                !is_login && renewable && blow.times == 1
            }
            // A token request may count as a login, so fewer faults are asked again (R20).
            _ if is_login => {
                let asked_again = matches!(
                    fault,
                    Fault::LimitSeconds
                        | Fault::LimitDate
                        | Fault::LimitUntold
                        | Fault::Unavailable
                );
                asked_again && blow.times <= HEALING_ANSWERS
            }
            fault => fault.passes() && blow.times <= HEALING_ANSWERS,
        }
    }

    fn api_plan(&self) -> FaultPlan {
        let mut plan = FaultPlan::new();
        for blow in &self.blows {
            let Trouble::Answer(fault) = blow.trouble else {
                continue;
            };
            let path = match blow.position {
                Position::Parent => "/orgs".to_owned(),
                Position::SecondParent => format!("/orgs/o{}/teams", self.orgs),
                Position::ThirdParent => {
                    format!("/orgs/o{}/teams/t{}/projects", self.orgs, self.teams)
                }
                Position::Child => format!(
                    "/orgs/o{}/teams/t{}/projects/p{}/members",
                    self.orgs, self.teams, self.projects
                ),
                Position::Token => "/token".to_owned(),
                position if position.blueprint().is_some() => "/items".to_owned(),
                _ => continue,
            };
            plan = plan.strike(&path, self.page_of(blow.position), fault, blow.times);
        }
        plan
    }

    fn port_plan(&self) -> FaultPlan {
        let mut plan = FaultPlan::new();
        for blow in &self.blows {
            let Trouble::Answer(fault) = blow.trouble else {
                continue;
            };
            let path = match blow.position {
                Position::PortToken => "/v1/auth/access_token",
                Position::Upsert => "/v1/blueprints/item/entities/bulk",
                Position::Owned => "/v1/blueprints/entities/datasource-entities",
                Position::Delete => "/v1/blueprints/item/bulk/entities/delete",
                _ => continue,
            };
            plan = plan.strike(path, 1, fault, blow.times);
        }
        plan
    }

    fn connection(&self) -> String {
        let style = match self.style {
            Style::Offset => "offset",
            Style::Page => "page",
            Style::Cursor => "cursor",
            Style::NextLink => "next_link\nnextLinkPath: next",
            Style::HeaderLink => "header_link",
        };
        format!("paginationType: {style}\npageSize: {}", self.size)
    }

    fn mapping(&self) -> String {
        let data_path = match self.style {
            Style::HeaderLink => "",
            _ => ", data_path: .data",
        };
        let resource = |kind: &str, selector: &str, blueprint: &str| {
            format!(
                "  - kind: {kind}\n    selector: {{query: 'true'{data_path}{selector}}}\n    \
                 port: {{entity: {{mappings: {{identifier: .id, title: .id, blueprint: '\"{blueprint}\"'}}}}}}\n"
            )
        };
        let parameters = format!(
            ", path_parameters: {{\
             org: {{endpoint: /orgs, field: .id{data_path}}}, \
             team: {{endpoint: '/orgs/{{org}}/teams', field: .id{data_path}}}, \
             project: {{endpoint: '/orgs/{{org}}/teams/{{team}}/projects', field: .id{data_path}}}}}"
        );
        format!(
            "resources:\n{}{}{}",
            resource("/items", "", "item"),
            resource(MEMBERS, &parameters, "member"),
            resource("/others", "", "other"),
        )
    }

    /// Records of a list in the case's way.
    fn list(&self, ids: impl IntoIterator<Item = String>) -> Pages {
        let records = ids.into_iter().map(|id| json!({"id": id}));
        let pages = match self.style {
            Style::Offset => Pages::offset(records).under("data"),
            Style::Page => Pages::page(records).under("data"),
            Style::Cursor => Pages::cursor(records),
            Style::NextLink => Pages::next_link(records),
            Style::HeaderLink => Pages::header_link(records),
        };
        let pages = pages.size(self.size);
        match (self.tells, self.style) {
            (Tells::Nothing, _) => pages,
            (Tells::Flag, _) => pages.flag("has_more"),
            (Tells::Total, Style::HeaderLink) => pages.total_header("X-Total-Count"),
            (Tells::Total, _) => pages.total("total"),
        }
    }

    fn api(&self) -> Api {
        let rows = Arc::new(Mutex::new(item_ids(self.items)));
        let trouble = self
            .blows
            .iter()
            .map(|blow| blow.trouble)
            .find(|trouble| !matches!(trouble, Trouble::Answer(_)));
        let trouble = Arc::new(Mutex::new(trouble));
        let api = ScriptedApi::new()
            .bearer(API_TOKEN)
            .query_key("key", QUERY_KEY)
            .open("/token")
            .on("/token", |_| {
                Answer::json(json!({"access_token": API_TOKEN}))
            })
            .pages("/others", self.list(["o1".to_owned()]))
            .pages("/orgs", self.list(numbered('o', self.orgs)))
            .pages("/orgs/{org}/teams", self.list(numbered('t', self.teams)))
            .pages(
                "/orgs/{org}/teams/{team}/projects",
                self.list(numbered('p', self.projects)),
            );
        let case = self.clone();
        let api = api.on(MEMBERS, move |call| {
            let of = ["org", "team", "project"].map(|name| call.parameter(name));
            case.list(numbered('m', case.members).map(|m| format!("{}-{m}", of.join("-"))))
                .answer(call)
        });
        let (case, list_rows, list_trouble) = (self.clone(), rows.clone(), trouble.clone());
        let asked = AtomicU64::new(0);
        let api = api.on("/items", move |call| {
            let page = asked.fetch_add(1, Ordering::SeqCst) + 1;
            let trouble = *list_trouble.lock().unwrap();
            case.page_of_items(call, page, trouble, &mut list_rows.lock().unwrap())
        });
        Api { api, rows, trouble }
    }

    fn page_of_items(
        &self,
        call: &Call,
        number: u64,
        trouble: Option<Trouble>,
        rows: &mut Vec<String>,
    ) -> Answer {
        let struck = number == self.middle();
        if let Some(rest) = call
            .query("cursor")
            .as_deref()
            .and_then(|c| c.strip_prefix("empty-"))
        {
            // "empty-2-<cursor>": one more empty page, then the page that was asked for first.
            let (left, cursor) = rest.split_once('-').unwrap();
            return match left {
                "0" => {
                    let mut request = call.request.clone();
                    set_query(&mut request, "cursor", cursor);
                    self.list(rows.clone())
                        .answer(&Call::new(request, Vec::new()))
                }
                left => {
                    let left: u64 = left.parse().unwrap();
                    empty_page(
                        self.tells,
                        rows.len(),
                        &format!("empty-{}-{cursor}", left - 1),
                    )
                }
            };
        }
        let answer = self.list(rows.clone()).answer(call);
        match trouble {
            Some(Trouble::RepeatedCursor) if struck => {
                let mut body = answer.body_json();
                match self.style {
                    Style::Cursor => {
                        let again = call
                            .query("cursor")
                            .map_or_else(|| body["next_cursor"].clone(), Value::from);
                        body["next_cursor"] = again;
                    }
                    _ => body["next"] = Value::from(call.request.url.as_str()),
                }
                answer.with_json(body)
            }
            Some(Trouble::EmptyPages | Trouble::ManyEmptyPages) if struck => {
                let mut body = answer.body_json();
                let empty = if trouble == Some(Trouble::EmptyPages) {
                    2
                } else {
                    3
                };
                let next = body["next_cursor"].as_str().unwrap().to_owned();
                body["next_cursor"] = format!("empty-{empty}-{next}").into();
                answer.with_json(body)
            }
            Some(Trouble::ForeignLink) if struck => match self.style {
                Style::HeaderLink => {
                    let mut answer = answer;
                    answer.headers.remove("link");
                    answer.header("link", &format!("<{}>; rel=\"next\"", Fault::FOREIGN))
                }
                _ => {
                    let mut body = answer.body_json();
                    body["next"] = Fault::FOREIGN.into();
                    answer.with_json(body)
                }
            },
            Some(Trouble::RowsAppear) if struck => {
                rows.insert(0, "new".to_owned());
                answer
            }
            Some(Trouble::RowsGo) if struck => {
                rows.remove(0);
                answer
            }
            _ => answer,
        }
    }

    /// A Port that has all of it from yesterday, and one entity more of each blueprint that is gone since.
    fn port(&self) -> PortDouble {
        let mut port = PortDouble::new().credentials("id", PORT_SECRET);
        for (blueprint, ids) in self.truth(&item_ids(self.items)) {
            for (n, id) in ids.iter().map(String::as_str).chain([GONE]).enumerate() {
                // Every third is there as it is, and is not written again.
                let title = if n % 3 == 2 { id } else { "as it was" };
                let entity = json!({"identifier": id, "title": title});
                port = port.stale_entity_with(blueprint, entity);
            }
        }
        port
    }

    fn truth(&self, items: &[String]) -> BTreeMap<&'static str, BTreeSet<String>> {
        let below = |ids: Vec<String>, letter: char, count: u64| -> Vec<String> {
            let all = ids
                .iter()
                .flat_map(|id| numbered(letter, count).map(move |below| format!("{id}-{below}")));
            all.collect()
        };
        let teams = below(numbered('o', self.orgs).collect(), 't', self.teams);
        let projects = below(teams, 'p', self.projects);
        let members = below(projects, 'm', self.members);
        BTreeMap::from([
            ("item", items.iter().cloned().collect()),
            ("member", members.into_iter().collect()),
            ("other", BTreeSet::from(["o1".to_owned()])),
        ])
    }
}

/// What was live yesterday and is no more.
const GONE: &str = "gone";

struct Api {
    api: ScriptedApi,
    rows: Arc<Mutex<Vec<String>>>,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// Three levels of parents below each other.
const MEMBERS: &str = "/orgs/{org}/teams/{team}/projects/{project}/members";

fn numbered(letter: char, count: u64) -> impl Iterator<Item = String> {
    (1..=count).map(move |n| format!("{letter}{n}"))
}

fn item_ids(count: u64) -> Vec<String> {
    numbered('i', count).collect()
}

fn empty_page(tells: Tells, total: usize, next: &str) -> Answer {
    let mut body = json!({"data": [], "next_cursor": next});
    match tells {
        Tells::Nothing => {}
        Tells::Flag => body["has_more"] = true.into(),
        Tells::Total => body["total"] = total.into(),
    }
    Answer::json(body)
}

fn set_query(request: &mut Request, name: &str, value: &str) {
    let others: Vec<(String, String)> = request
        .url
        .query_pairs()
        .filter(|(key, _)| key != name)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    request
        .url
        .query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair(name, value);
}

/// Logs in at `/token` and renews.
struct Login {
    held: Renewing<TokenRequest>,
}

struct TokenRequest {
    client: Client,
    url: String,
}

#[async_trait]
impl CredentialSource for TokenRequest {
    type Credential = String;

    async fn fetch(&self) -> Result<Issued<String>, auth::Error> {
        let request = Request::new(Method::POST, self.url.parse().unwrap());
        let exchange = Exchange::new(&Unauthenticated).retry_scope(RetryScope::Token);
        let read = self.client.send(request, &exchange, |response| {
            let body: Value = body_json::read(&response.success()?.body)?;
            let shape = || {
                longshore_engine::transport::Error::new(
                    longshore_engine::transport::ErrorKind::Shape,
                    "the answer holds no access_token",
                )
            };
            body["access_token"]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(shape)
        });
        let credential = read
            .await
            .map_err(|error| auth::Error::login("the login failed", error))?;
        Ok(Issued::new(credential, None))
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login")
    }
}

#[async_trait]
impl Authenticator for Login {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, auth::Error> {
        let (generation, token) = self.held.current().await?;
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers.insert("authorization", value);
        Ok(generation)
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, auth::Error> {
        self.held.renew(rejected).await
    }
}

/// Time that runs a thousand times faster, for waits that a server told.
#[derive(Debug)]
struct Hurried(TokioClock);

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> Duration {
        self.0.now() * 1_000
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration / 1_000).await;
    }
}

/// Everything that happened, as text.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// One sync over `transport`.
async fn sync(
    case: &Case,
    api: &str,
    port: &str,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
) -> (Report, Told) {
    let told = Told::default();
    let connection = format!("baseUrl: {api}?key={QUERY_KEY}\n{}", case.connection());
    let config = longshore_engine::Config::loader()
        .connection_text("connection.yaml", &connection)
        .mapping_text("mapping.yaml", &case.mapping())
        .load()
        .unwrap();
    let mut builder = EngineBuilder::from_config(&config)
        .unwrap()
        .transport(transport.clone())
        .observer(told.clone())
        .clock(clock.clone())
        .seed(case.seed);
    builder = match case.renewing {
        false => builder.authenticator(BearerToken::new(API_TOKEN.to_owned()).unwrap()),
        true => {
            let client = Client::builder(transport.clone())
                .clock(clock.clone())
                .seed(case.seed)
                .build();
            let url = format!("{api}/token");
            builder.authenticator(Login {
                held: Renewing::new(TokenRequest { client, url }, clock.clone()),
            })
        }
    };
    let client = Client::builder(transport)
        .clock(clock)
        .seed(case.seed)
        .build();
    let client = PortClient::builder(client)
        .base_url(port.parse().unwrap())
        .credentials("id", PORT_SECRET.to_owned())
        .integration("custom", "matrix")
        .build()
        .unwrap();
    let options = PortSinkOptions::from(config.mapping.as_ref().unwrap());
    let engine = builder.build().unwrap();
    let report = engine.sync(&PortSink::new(client).options(options)).await;
    (report, told)
}

fn paused() -> Arc<dyn Clock> {
    Arc::new(TokioClock::new())
}

/// Everything that two runs of one case must have in common.
#[derive(Debug, PartialEq)]
struct Log {
    requests: Vec<String>,
    report: String,
    events: Vec<String>,
    changes: Vec<String>,
}

async fn check(case: &Case, figures: &mut Figures) {
    let log = run(case, figures).await;
    if case.seed.is_multiple_of(10) {
        assert_eq!(
            log,
            run(case, &mut Figures::default()).await,
            "the same seed, another course"
        );
        figures.repeated += 1;
    }
}

/// The struck sync, the clean one after it, and what must hold of both.
async fn run(case: &Case, figures: &mut Figures) -> Log {
    let (api, port) = (case.api(), case.port());
    let network = Network::new()
        .at(API, Faulty::new(api.api.clone(), case.api_plan()))
        .at(PORT, Faulty::new(port.clone(), case.port_plan()));
    let (report, told) = sync(case, API, PORT, network.transport(), paused()).await;
    check_struck(case, &report, &api, &port);
    check_silence(&report, &told);
    assert_eq!(network.strangers().len(), 0, "a request went to a stranger");
    let log = Log {
        requests: network.requests().iter().map(logged).collect(),
        report: serde_json::to_string(&report).unwrap(),
        events: told.0.lock().unwrap().clone(),
        changes: port
            .events()
            .iter()
            .map(|event| format!("{event:?}"))
            .collect(),
    };
    figures.count(case, &log, &port);

    *api.trouble.lock().unwrap() = None;
    port.advance(Duration::from_secs(3_600));
    let network = Network::new()
        .at(API, api.api.clone())
        .at(PORT, port.clone());
    let (report, _) = sync(case, API, PORT, network.transport(), paused()).await;
    check_clean(case, &report, &api, &port);
    figures.requests += network.requests().len() as u64;
    log
}

/// A request as the log has it: without the id of the sync, which is new each time.
fn logged(seen: &Seen) -> String {
    let sync_id = seen.query("ocean_info_resync_id").unwrap_or_default();
    let url = seen.path_and_query().replace(&sync_id, "");
    format!("{:?} {} {url} {:?}", seen.at, seen.method, seen.status)
}

/// What must hold after a sync that something went wrong in.
fn check_struck(case: &Case, report: &Report, api: &Api, port: &PortDouble) {
    let deleted = port.deleted();
    let distinct: BTreeSet<_> = deleted.iter().collect();
    assert_eq!(distinct.len(), deleted.len(), "deleted twice: {deleted:?}");
    let mut live = case.truth(&api.rows.lock().unwrap());
    if let Some(items) = live.get_mut("item") {
        // What came or went while it was read may be there or not.
        items.extend(item_ids(case.items));
    }
    for (blueprint, identifier) in &deleted {
        assert!(
            !live[blueprint.as_str()].contains(identifier),
            "{blueprint} {identifier} was live: {report}"
        );
    }
    let (healed, unhealed): (Vec<&Blow>, Vec<&Blow>) =
        case.blows.iter().partition(|blow| case.heals(blow));
    if unhealed.is_empty() {
        // Port does not name what a delete finds gone, so one whose answer was lost stays unconfirmed until the next sync.
        let unconfirmed = healed.iter().any(|blow| {
            let Trouble::Answer(fault) = blow.trouble else {
                return false;
            };
            blow.position == Position::Delete && !fault.is_refusal()
        });
        assert!(
            unconfirmed || report.is_clean(),
            "{healed:?} heals: {report}"
        );
        check_state(case, api, port);
        return;
    }
    assert!(!report.is_clean(), "{unhealed:?} is not told: {report}");
    for blow in &unhealed {
        let Some(blueprint) = blow.position.blueprint() else {
            continue;
        };
        let kind = match blueprint {
            "item" => "/items",
            _ => MEMBERS,
        };
        let resource = report
            .resources
            .iter()
            .find(|resource| resource.kind == kind)
            .unwrap();
        assert_eq!(resource.outcome, "incomplete", "{blow:?}: {report}");
        assert!(
            port.entity(blueprint, GONE).is_some(),
            "deleted without proof: {report}"
        );
    }
    // Only reads are struck: whoever shares no blueprint with them goes on and deletes (R2).
    if unhealed
        .iter()
        .all(|blow| blow.position.blueprint().is_some())
    {
        for (blueprint, live) in case.truth(&api.rows.lock().unwrap()) {
            if unhealed
                .iter()
                .any(|blow| blow.position.blueprint() == Some(blueprint))
            {
                continue;
            }
            let there: BTreeSet<String> = port.identifiers(blueprint).into_iter().collect();
            assert_eq!(there, live, "{blueprint} was not struck: {report}");
        }
    }
    let logins = unhealed.iter().any(|blow| {
        matches!(blow.position, Position::Token | Position::PortToken) && blow.times == NEVER
    });
    if logins {
        assert_eq!(deleted, [], "{report}");
        assert!(
            report
                .resources
                .iter()
                .all(|resource| resource.outcome == "incomplete"),
            "{report}"
        );
    }
    // What nothing was read of is not written either.
    let written = !unhealed
        .iter()
        .any(|blow| blow.position.blueprint() == Some("item"));
    if unhealed.iter().any(|blow| match blow.position {
        Position::Upsert => written,
        position => position == Position::Owned,
    }) {
        assert_eq!(deleted, [], "{report}");
    }
}

/// The next sync without faults.
fn check_clean(case: &Case, report: &Report, api: &Api, port: &PortDouble) {
    assert!(report.is_clean(), "the clean sync: {report}");
    check_state(case, api, port);
    assert_eq!(port.violations(), Vec::<String>::new());
}

/// Port holds what is live, and nothing else.
fn check_state(case: &Case, api: &Api, port: &PortDouble) {
    for (blueprint, live) in case.truth(&api.rows.lock().unwrap()) {
        let there: BTreeSet<String> = port.identifiers(blueprint).into_iter().collect();
        assert_eq!(there, live, "{blueprint}");
    }
}

/// No canary is said, neither as it is nor encoded.
fn check_silence(report: &Report, told: &Told) {
    let events = told.0.lock().unwrap().join("\n");
    let said = format!(
        "{report}\n{report:?}\n{}\n{events}",
        serde_json::to_string(report).unwrap()
    );
    static FORMS: OnceLock<Vec<String>> = OnceLock::new();
    let forms = FORMS.get_or_init(|| {
        use base64::Engine as _;
        let encode = |text: &str| base64::prelude::BASE64_STANDARD_NO_PAD.encode(text);
        CANARIES
            .iter()
            .flat_map(|canary| {
                // A part of base64 that does not depend on what stands before and after.
                let aligned = (0..3).map(|shift| encode(&canary[shift..])[..16].to_owned());
                std::iter::once((*canary).to_owned())
                    .chain(aligned)
                    .collect::<Vec<_>>()
            })
            .collect()
    });
    for form in forms {
        assert!(!said.contains(form), "a canary is said: {said}");
    }
}

/// A case over real sockets.
async fn check_on_the_wire(case: &Case) {
    let (api, port) = (case.api(), case.port());
    let foreign = serve_faulty(ScriptedApi::new(), FaultPlan::new()).await;
    let api_server = serve_faulty(api.api.clone(), case.api_plan()).await;
    let port_server = serve_faulty(port.clone(), case.port_plan()).await;
    let http = HttpTransport::builder()
        .timeout(Duration::from_secs(3))
        .max_body_bytes(1 << 20)
        .build()
        .unwrap();
    let clock: Arc<dyn Clock> = Arc::new(Hurried(TokioClock::new()));
    let url = |server: &longshore_testkit::FaultServer| {
        server.url.as_str().trim_end_matches('/').to_owned()
    };
    let transport: Arc<dyn Transport> = Arc::new(http);
    let (report, told) = sync(
        case,
        &url(&api_server),
        &url(&port_server),
        transport.clone(),
        clock.clone(),
    )
    .await;
    check_struck(case, &report, &api, &port);
    check_silence(&report, &told);
    assert_eq!(foreign.received(), b"", "{case:?}");

    *api.trouble.lock().unwrap() = None;
    port.advance(Duration::from_secs(3_600));
    let api_server = serve_faulty(api.api.clone(), FaultPlan::new()).await;
    let port_server = serve_faulty(port.clone(), FaultPlan::new()).await;
    let (report, _) = sync(
        case,
        &url(&api_server),
        &url(&port_server),
        transport,
        clock,
    )
    .await;
    check_clean(case, &report, &api, &port);
}

/// What the matrix was, for whoever runs it.
#[derive(Default)]
struct Figures {
    cases: u64,
    healed: u64,
    unhealed: u64,
    repeated: u64,
    requests: u64,
    upserts: u64,
    deletes: u64,
    drawn: BTreeMap<String, u64>,
}

impl Figures {
    fn add(&mut self, part: Figures) {
        self.cases += part.cases;
        self.healed += part.healed;
        self.unhealed += part.unhealed;
        self.repeated += part.repeated;
        self.requests += part.requests;
        self.upserts += part.upserts;
        self.deletes += part.deletes;
        for (what, count) in part.drawn {
            *self.drawn.entry(what).or_default() += count;
        }
    }

    fn count(&mut self, case: &Case, log: &Log, port: &PortDouble) {
        self.cases += 1;
        match case.blows.iter().all(|blow| case.heals(blow)) {
            true => self.healed += 1,
            false => self.unhealed += 1,
        }
        self.requests += log.requests.len() as u64;
        self.upserts += log.changes.len() as u64;
        self.deletes += port.deleted().len() as u64;
        *self.drawn.entry(format!("{:?}", case.style)).or_default() += 1;
        for blow in &case.blows {
            *self.drawn.entry(format!("{:?}", blow.trouble)).or_default() += 1;
            *self
                .drawn
                .entry(format!("{:?}", blow.position))
                .or_default() += 1;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} cases ({} heal, {} do not), {} run twice, {} requests, {} changes at Port, {} rightful deletes in struck syncs",
            self.cases,
            self.healed,
            self.unhealed,
            self.repeated,
            self.requests,
            self.upserts,
            self.deletes
        )?;
        for (what, count) in &self.drawn {
            writeln!(f, "  {count:6}  {what}")?;
        }
        Ok(())
    }
}
