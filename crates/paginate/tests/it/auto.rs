//! `type: auto` against APIs of many shapes, each as it is (it ignores parameters that it does not know) and strict (it refuses them).

use std::sync::{Arc, LazyLock};

use http::Method;
use longshore_paginate::{Configured, Error, PageRequest, Settings, Style};
use serde_json::{Value, json};

use crate::reading::{Read, Reply, base, slice, try_read};

/// How an API answers one request, when it has `of` records and pages of `size`.
pub(crate) type Server = fn(&Ask<'_>) -> Reply;

pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// The body of the caller's request, for reads by POST.
    pub(crate) body: Option<Value>,
    /// The parameters of paging that the API knows.
    pub(crate) knows: &'static [&'static str],
    pub(crate) server: Server,
}

pub(crate) struct Ask<'r> {
    pub(crate) request: &'r PageRequest,
    pub(crate) of: u64,
    pub(crate) size: u64,
}

impl Ask<'_> {
    fn text(&self, name: &str) -> Option<String> {
        let of_body = || match self.request.body_at(name)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        match self.request.body {
            Some(_) => of_body(),
            None => self.request.query(name),
        }
    }

    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name)
            .map_or(default, |text| text.parse().unwrap_or(default))
    }

    /// Records before this page, where a cursor is the letter c and their number. Others are not known.
    pub(crate) fn after(&self, name: &str) -> u64 {
        self.text(name)
            .and_then(|text| text.strip_prefix('c')?.parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn records(&self, skip: u64) -> Vec<Value> {
        slice(self.of, skip, self.size)
    }

    /// The same where a page is one of so many.
    pub(crate) fn page(&self, name: &str, first: u64) -> (u64, Vec<Value>, bool) {
        let page = self.number(name, first).max(first);
        let skip = (page - first) * self.size;
        (page, self.records(skip), skip + self.size < self.of)
    }

    pub(crate) fn pages(&self) -> u64 {
        self.of.div_ceil(self.size)
    }

    pub(crate) fn cursor(&self, skip: u64) -> Option<String> {
        (skip + self.size < self.of).then(|| format!("c{}", skip + self.size))
    }
}

pub(crate) fn put(body: &mut Value, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body[key] = value.into();
    }
}

pub(crate) const GET: Option<Value> = None;

fn shapes() -> Vec<Shape> {
    let shape = |name, body, knows, server| Shape {
        name,
        body,
        knows,
        server,
    };
    vec![
        // The rows of the table of well-known APIs.
        shape("GitHub REST", GET, &["page", "per_page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let reply = Reply::bare(records);
            let last = format!(
                "<https://api.example.com/v1/items?page={}>; rel=\"last\"",
                ask.pages()
            );
            match more {
                true => reply.header(
                    "link",
                    &format!(
                        "<https://api.example.com/v1/items?page={}>; rel=\"next\", {last}",
                        page + 1
                    ),
                ),
                false if page > 1 => reply.header(
                    "link",
                    "<https://api.example.com/v1/items?page=1>; rel=\"first\"",
                ),
                false => reply,
            }
        }),
        shape("Slack Web", GET, &["cursor", "limit"], |ask| {
            let skip = ask.after("cursor");
            let next = ask.cursor(skip).unwrap_or_default();
            Reply::of(
                json!({"ok": true, "members": ask.records(skip), "response_metadata": {"next_cursor": next}}),
                "/members",
            )
        }),
        shape(
            "Stripe",
            GET,
            &["starting_after", "ending_before", "limit"],
            |ask| {
                let skip = ask.number("starting_after", 0);
                Reply::of(
                    json!({"object": "list", "has_more": skip + ask.size < ask.of, "data": ask.records(skip)}),
                    "/data",
                )
            },
        ),
        shape("Zendesk, offset", GET, &["page", "per_page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let next = more.then(|| format!("https://api.example.com/v1/items?page={}", page + 1));
            Reply::of(
                json!({"tickets": records, "next_page": next, "previous_page": null, "count": ask.of}),
                "/tickets",
            )
        }),
        shape(
            "Zendesk, cursor",
            GET,
            &["page[after]", "page[size]"],
            |ask| {
                let skip = ask.after("page[after]");
                let link = format!(
                    "https://api.example.com/v1/items?page%5Bafter%5D=c{}",
                    skip + ask.size
                );
                Reply::of(
                    json!({"tickets": ask.records(skip), "links": {"next": link},
                       "meta": {"has_more": skip + ask.size < ask.of, "after_cursor": format!("c{}", skip + ask.size)}}),
                    "/tickets",
                )
            },
        ),
        shape("HubSpot CRM", GET, &["after", "limit"], |ask| {
            let skip = ask.after("after");
            let mut body = json!({"results": ask.records(skip)});
            put(
                &mut body,
                "paging",
                ask.cursor(skip)
                    .map(|after| json!({"next": {"after": after}})),
            );
            Reply::of(body, "/results")
        }),
        shape(
            "HubSpot search",
            Some(json!({"filterGroups": []})),
            &["after", "limit", "filterGroups"],
            |ask| {
                let skip = ask.after("after");
                let mut body = json!({"total": ask.of, "results": ask.records(skip)});
                put(
                    &mut body,
                    "paging",
                    ask.cursor(skip)
                        .map(|after| json!({"next": {"after": after, "link": "?after=x"}})),
                );
                Reply::of(body, "/results")
            },
        ),
        shape(
            "Jira Cloud, classic",
            GET,
            &["startAt", "maxResults"],
            |ask| {
                let skip = ask.number("startAt", 0);
                Reply::of(
                    json!({"startAt": skip, "maxResults": ask.size, "total": ask.of, "issues": ask.records(skip)}),
                    "/issues",
                )
            },
        ),
        shape(
            "Jira Cloud, isLast",
            GET,
            &["startAt", "maxResults"],
            |ask| {
                let skip = ask.number("startAt", 0);
                Reply::of(
                    json!({"startAt": skip, "maxResults": ask.size, "isLast": skip + ask.size >= ask.of, "values": ask.records(skip)}),
                    "/values",
                )
            },
        ),
        shape(
            "Jira Cloud, new search",
            GET,
            &["nextPageToken", "maxResults"],
            |ask| {
                let skip = ask.after("nextPageToken");
                let mut body =
                    json!({"issues": ask.records(skip), "isLast": skip + ask.size >= ask.of});
                put(&mut body, "nextPageToken", ask.cursor(skip));
                Reply::of(body, "/issues")
            },
        ),
        shape("Microsoft Graph", GET, &["$skiptoken", "$top"], |ask| {
            let skip = ask.after("$skiptoken");
            let mut body =
                json!({"@odata.context": "https://h/$metadata#users", "value": ask.records(skip)});
            let link = ask
                .cursor(skip)
                .map(|at| format!("https://api.example.com/v1/items?$skiptoken={at}"));
            put(&mut body, "@odata.nextLink", link);
            Reply::of(body, "/value")
        }),
        shape("Spring Data", GET, &["page", "size", "sort"], |ask| {
            let (page, records, more) = ask.page("page", 0);
            Reply::of(
                json!({"content": records, "number": page, "size": ask.size, "totalPages": ask.pages(), "totalElements": ask.of, "last": !more}),
                "/content",
            )
        }),
        shape("Spring Data, paged model", GET, &["page", "size"], |ask| {
            let (page, records, _) = ask.page("page", 0);
            Reply::of(
                json!({"_embedded": {"users": records},
                       "page": {"size": ask.size, "number": page, "totalElements": ask.of, "totalPages": ask.pages()}}),
                "/_embedded/users",
            )
        }),
        shape("Spring Data below data", GET, &["page", "size"], |ask| {
            let (page, records, more) = ask.page("page", 0);
            Reply::of(
                json!({"data": {"content": records, "number": page, "last": !more, "totalPages": ask.pages()}}),
                "/data/content",
            )
        }),
        shape("PagerDuty", GET, &["offset", "limit"], |ask| {
            let skip = ask.number("offset", 0);
            Reply::of(
                json!({"services": ask.records(skip), "offset": skip, "limit": ask.size, "more": skip + ask.size < ask.of, "total": null}),
                "/services",
            )
        }),
        shape(
            "Datadog, cursor",
            GET,
            &["page[cursor]", "page[limit]"],
            |ask| {
                let skip = ask.after("page[cursor]");
                let mut body = json!({"data": ask.records(skip), "meta": {"page": {}}});
                put(&mut body["meta"]["page"], "after", ask.cursor(skip));
                Reply::of(body, "/data")
            },
        ),
        shape(
            "Datadog, offset",
            GET,
            &["page[offset]", "page[limit]"],
            |ask| {
                let skip = ask.number("page[offset]", 0);
                let mut body =
                    json!({"data": ask.records(skip), "meta": {"pagination": {"offset": skip}}});
                let next = (skip + ask.size < ask.of).then_some(skip + ask.size);
                put(&mut body["meta"]["pagination"], "next_offset", next);
                Reply::of(body, "/data")
            },
        ),
        shape(
            "Notion",
            Some(json!({"filter": {}})),
            &["start_cursor", "page_size", "filter"],
            |ask| {
                let skip = ask.after("start_cursor");
                let next = ask.cursor(skip);
                Reply::of(
                    json!({"results": ask.records(skip), "has_more": next.is_some(), "next_cursor": next}),
                    "/results",
                )
            },
        ),
        shape("Salesforce", GET, &["q", "at"], |ask| {
            let skip = ask.after("at");
            let mut body = json!({"totalSize": ask.of, "done": skip + ask.size >= ask.of, "records": ask.records(skip)});
            put(
                &mut body,
                "nextRecordsUrl",
                ask.cursor(skip).map(|at| format!("/v1/items?at={at}")),
            );
            Reply::of(body, "/records")
        }),
        shape(
            "ServiceNow",
            GET,
            &["sysparm_offset", "sysparm_limit"],
            |ask| {
                let skip = ask.number("sysparm_offset", 0);
                Reply::of(json!({"result": ask.records(skip)}), "/result")
                    .header("x-total-count", &ask.of.to_string())
            },
        ),
        shape("Opsgenie", GET, &["offset", "limit"], |ask| {
            let skip = ask.number("offset", 0);
            let mut body = json!({"data": ask.records(skip), "paging": {"first": "https://api.example.com/v1/items"}});
            let next = (skip + ask.size < ask.of).then(|| {
                format!(
                    "https://api.example.com/v1/items?offset={}",
                    skip + ask.size
                )
            });
            put(&mut body["paging"], "next", next);
            Reply::of(body, "/data")
        }),
        shape("SonarQube", GET, &["p", "ps"], |ask| {
            let (page, records, _) = ask.page("p", 1);
            Reply::of(
                json!({"paging": {"pageIndex": page, "pageSize": ask.size, "total": ask.of}, "components": records}),
                "/components",
            )
        }),
        shape(
            "JSON:API, link",
            GET,
            &["page[number]", "page[size]"],
            |ask| {
                let (page, records, more) = ask.page("page[number]", 1);
                let next = more.then(|| format!("/v1/items?page%5Bnumber%5D={}", page + 1));
                Reply::of(
                    json!({"data": records, "links": {"next": next, "self": "/v1/items"}}),
                    "/data",
                )
            },
        ),
        shape(
            "JSON:API, link object",
            GET,
            &["page[number]", "page[size]"],
            |ask| {
                let (page, records, more) = ask.page("page[number]", 1);
                let next = more
                    .then(|| json!({"href": format!("/v1/items?page%5Bnumber%5D={}", page + 1)}));
                Reply::of(json!({"data": records, "links": {"next": next}}), "/data")
            },
        ),
        shape(
            "JSON:API, numbers only",
            GET,
            &["page[number]", "page[size]"],
            |ask| {
                let (page, records, _) = ask.page("page[number]", 1);
                Reply::of(
                    json!({"data": records, "meta": {"page": page, "pages": ask.pages()}}),
                    "/data",
                )
                .header("content-type", "application/vnd.api+json")
            },
        ),
        shape("Google style", GET, &["pageToken", "pageSize"], |ask| {
            let skip = ask.after("pageToken");
            let mut body = json!({"items": ask.records(skip)});
            put(&mut body, "nextPageToken", ask.cursor(skip));
            Reply::of(body, "/items")
        }),
        shape("Rootly", GET, &["page[number]", "page[size]"], |ask| {
            let (page, records, more) = ask.page("page[number]", 1);
            let meta = json!({"current_page": page, "next_page": more.then_some(page + 1), "total_count": ask.of, "total_pages": ask.pages()});
            Reply::of(json!({"data": records, "meta": meta}), "/data")
        }),
        // Others of the same families.
        shape("GitLab, headers", GET, &["page", "per_page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let next = if more {
                (page + 1).to_string()
            } else {
                String::new()
            };
            Reply::bare(records)
                .header("x-next-page", &next)
                .header("x-page", &page.to_string())
        }),
        shape("a total of pages in a header", GET, &["page"], |ask| {
            let (_, records, _) = ask.page("page", 1);
            Reply::bare(records).header("x-wp-totalpages", &ask.pages().to_string())
        }),
        shape("a total in a header, skip", GET, &["skip", "take"], |ask| {
            let skip = ask.number("skip", 0);
            Reply::bare(ask.records(skip)).header("x-total-count", &ask.of.to_string())
        }),
        shape("a cursor in a header", GET, &["cursor"], |ask| {
            let skip = ask.after("cursor");
            Reply::bare(ask.records(skip))
                .header("x-next-cursor", &ask.cursor(skip).unwrap_or_default())
        }),
        shape(
            "a continuation header",
            GET,
            &["continuationToken", "$top"],
            |ask| {
                let skip = ask.after("continuationToken");
                let reply = Reply::of(
                    json!({"count": ask.records(skip).len(), "value": ask.records(skip)}),
                    "/value",
                );
                match ask.cursor(skip) {
                    Some(next) => reply.header("x-ms-continuationtoken", &next),
                    None => reply,
                }
            },
        ),
        shape("Laravel", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let next = more.then(|| format!("https://api.example.com/v1/items?page={}", page + 1));
            Reply::of(
                json!({"current_page": page, "data": records, "last_page": ask.pages(), "next_page_url": next, "total": ask.of}),
                "/data",
            )
        }),
        shape("Laravel, last page only", GET, &["page"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            Reply::of(
                json!({"data": records, "meta": {"current_page": page, "last_page": ask.pages(), "per_page": ask.size}}),
                "/data",
            )
        }),
        shape("Django REST", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let next = more.then(|| format!("https://api.example.com/v1/items?page={}", page + 1));
            Reply::of(
                json!({"count": ask.of, "next": next, "previous": null, "results": records}),
                "/results",
            )
        }),
        shape("PayPal, list of links", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let mut links =
                vec![json!({"rel": "self", "href": "https://api.example.com/v1/items"})];
            if more {
                links.push(json!({"rel": "next", "href": format!("https://api.example.com/v1/items?page={}", page + 1)}));
            }
            Reply::of(json!({"items": records, "links": links}), "/items")
        }),
        shape("FHIR, list of links", GET, &["_getpages"], |ask| {
            let skip = ask.after("_getpages");
            let mut links =
                vec![json!({"relation": "self", "url": "https://api.example.com/v1/items"})];
            if let Some(next) = ask.cursor(skip) {
                links.push(json!({"relation": "next", "url": format!("https://api.example.com/v1/items?_getpages={next}")}));
            }
            Reply::of(
                json!({"resourceType": "Bundle", "total": ask.of, "link": links, "entry": ask.records(skip)}),
                "/entry",
            )
        }),
        shape("HAL", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let mut links = json!({"self": {"href": "/v1/items"}});
            put(
                &mut links,
                "next",
                more.then(|| json!({"href": format!("/v1/items?page={}", page + 1)})),
            );
            Reply::of(
                json!({"_links": links, "_embedded": {"items": records}}),
                "/_embedded/items",
            )
        }),
        shape("SCIM, from 1", GET, &["startIndex", "count"], |ask| {
            let start = ask.number("startIndex", 1).max(1);
            Reply::of(
                json!({"startIndex": start, "itemsPerPage": ask.size, "totalResults": ask.of, "Resources": ask.records(start - 1)}),
                "/Resources",
            )
        }),
        shape(
            "skip and limit with a total",
            GET,
            &["skip", "limit"],
            |ask| {
                let skip = ask.number("skip", 0);
                Reply::of(
                    json!({"result": {"rows": ask.records(skip), "skip": skip, "limit": ask.size, "total": ask.of}}),
                    "/result/rows",
                )
            },
        ),
        shape(
            "top and skip without a total",
            GET,
            &["$skip", "$top"],
            |ask| {
                let skip = ask.number("$skip", 0);
                Reply::of(
                    json!({"@odata.context": "x", "value": ask.records(skip), "hasMore": skip + ask.size < ask.of}),
                    "/value",
                )
            },
        ),
        shape(
            "from and size, Elasticsearch",
            Some(json!({"query": {}, "from": 0})),
            &["from", "size", "query"],
            |ask| {
                let skip = ask.number("from", 0);
                Reply::of(
                    json!({"took": 3, "hits": {"total": {"value": ask.of, "relation": "eq"}, "hits": ask.records(skip)}}),
                    "/hits/hits",
                )
            },
        ),
        shape("start and rows, Solr", GET, &["start", "rows"], |ask| {
            let skip = ask.number("start", 0);
            Reply::of(
                json!({"response": {"numFound": ask.of, "start": skip, "docs": ask.records(skip)}}),
                "/response/docs",
            )
        }),
        shape("a flag alone, pages from 1", GET, &["page"], |ask| {
            let (_, records, more) = ask.page("page", 1);
            Reply::of(json!({"items": records, "hasNext": more}), "/items")
        }),
        shape("a flag alone, pages from 0", GET, &["page"], |ask| {
            let (_, records, more) = ask.page("page", 0);
            Reply::of(json!({"items": records, "has_next_page": more}), "/items")
        }),
        shape("a flag alone, offset", GET, &["offset"], |ask| {
            let skip = ask.number("offset", 0);
            Reply::of(
                json!({"items": ask.records(skip), "paging": {"moreAvailable": skip + ask.size < ask.of}}),
                "/items",
            )
        }),
        shape(
            "a last flag alone, pageNumber from 0",
            GET,
            &["pageNumber"],
            |ask| {
                let (page, records, more) = ask.page("pageNumber", 0);
                Reply::of(
                    json!({"page": {"pageNumber": page, "isLastPage": !more}, "list": records}),
                    "/list",
                )
            },
        ),
        shape("total pages only, pageNo", GET, &["pageNo"], |ask| {
            let (_, records, _) = ask.page("pageNo", 1);
            Reply::of(
                json!({"result": {"list": records, "totalPages": ask.pages()}}),
                "/result/list",
            )
        }),
        shape("total pages only, from 0", GET, &["page"], |ask| {
            let (_, records, _) = ask.page("page", 0);
            Reply::of(
                json!({"meta": {"page_count": ask.pages()}, "rows": records}),
                "/rows",
            )
        }),
        shape("total only, page", GET, &["page"], |ask| {
            let (_, records, _) = ask.page("page", 1);
            Reply::of(json!({"total": ask.of, "list": records}), "/list")
        }),
        shape("total only, offset", GET, &["offset"], |ask| {
            let skip = ask.number("offset", 0);
            Reply::of(
                json!({"meta": {"totalItems": ask.of}, "list": ask.records(skip)}),
                "/list",
            )
        }),
        shape("current page of pages", GET, &["page"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            Reply::of(
                json!({"pagination": {"current": page, "pages": ask.pages(), "per_page": ask.size}, "items": records}),
                "/items",
            )
        }),
        shape("next page as a number", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            Reply::of(
                json!({"items": records, "nextPage": more.then_some(page + 1)}),
                "/items",
            )
        }),
        shape("next as an offset", GET, &["start"], |ask| {
            let skip = ask.number("start", 0);
            let next = (skip + ask.size < ask.of).then_some(skip + ask.size);
            Reply::of(
                json!({"items": ask.records(skip), "pagination": {"next_start": next}}),
                "/items",
            )
        }),
        shape("AWS style", GET, &["NextToken", "MaxResults"], |ask| {
            let skip = ask.after("NextToken");
            let mut body = json!({"Items": ask.records(skip)});
            put(&mut body, "NextToken", ask.cursor(skip));
            Reply::of(body, "/Items")
        }),
        shape(
            "AWS style in the body",
            Some(json!({"MaxResults": 10})),
            &["nextToken", "MaxResults"],
            |ask| {
                let skip = ask.after("nextToken");
                let mut body = json!({"items": ask.records(skip)});
                put(&mut body, "nextToken", ask.cursor(skip));
                Reply::of(body, "/items")
            },
        ),
        shape(
            "a cursor deep in the body",
            Some(json!({"page": {"limit": 10}})),
            &["page.cursor", "page.limit", "page"],
            |ask| {
                let skip = ask.after("page.cursor");
                let mut body = json!({"data": ask.records(skip), "meta": {"page": {}}});
                put(&mut body["meta"]["page"], "after", ask.cursor(skip));
                Reply::of(body, "/data")
            },
        ),
        shape(
            "paging.after in the body",
            Some(json!({"paging": {"limit": 10}})),
            &["paging.after", "paging.limit", "paging"],
            |ask| {
                let skip = ask.after("paging.after");
                let mut body = json!({"data": ask.records(skip)});
                put(
                    &mut body,
                    "paging",
                    ask.cursor(skip)
                        .map(|after| json!({"next": {"after": after}})),
                );
                Reply::of(body, "/data")
            },
        ),
        shape(
            "GraphQL",
            Some(json!({"query": "{…}", "variables": {"first": 10}})),
            &["query", "variables", "variables.first", "variables.after"],
            |ask| {
                let skip = ask.after("variables.after");
                let info = json!({"hasNextPage": ask.cursor(skip).is_some(), "endCursor": format!("c{}", skip + ask.size)});
                Reply::of(
                    json!({"data": {"issues": {"nodes": ask.records(skip), "pageInfo": info}}}),
                    "/data/issues/nodes",
                )
            },
        ),
        shape(
            "page number in the body",
            Some(json!({"page": 1})),
            &["page"],
            |ask| {
                let (page, records, _) = ask.page("page", 1);
                Reply::of(
                    json!({"data": records, "page": page, "total": ask.of}),
                    "/data",
                )
            },
        ),
        shape("relay cursors over GET", GET, &["after", "first"], |ask| {
            let skip = ask.after("after");
            let info = json!({"has_next_page": ask.cursor(skip).is_some(), "end_cursor": format!("c{}", skip + ask.size)});
            Reply::of(
                json!({"result": {"edges": ask.records(skip), "page_info": info}}),
                "/result/edges",
            )
        }),
        shape("Facebook cursors", GET, &["after", "limit"], |ask| {
            let skip = ask.after("after");
            let mut paging =
                json!({"cursors": {"before": "b", "after": format!("c{}", skip + ask.size)}});
            put(
                &mut paging,
                "next",
                ask.cursor(skip)
                    .map(|at| format!("https://api.example.com/v1/items?after={at}")),
            );
            Reply::of(
                json!({"data": ask.records(skip), "paging": paging}),
                "/data",
            )
        }),
        shape("Intercom", GET, &["starting_after", "per_page"], |ask| {
            let skip = ask.after("starting_after");
            let mut pages =
                json!({"type": "pages", "per_page": ask.size, "total_pages": ask.pages()});
            put(
                &mut pages,
                "next",
                ask.cursor(skip)
                    .map(|at| json!({"page": 2, "starting_after": at})),
            );
            Reply::of(json!({"data": ask.records(skip), "pages": pages}), "/data")
        }),
        shape("Airtable", GET, &["offset", "pageSize"], |ask| {
            let skip = ask.after("offset");
            let mut body = json!({"records": ask.records(skip)});
            put(&mut body, "offset", ask.cursor(skip));
            Reply::of(body, "/records")
        }),
        shape("Asana", GET, &["offset", "limit"], |ask| {
            let skip = ask.after("offset");
            let next = ask.cursor(skip).map(|at| {
                json!({"offset": at, "path": format!("/v1/items?offset={at}"),
                "uri": format!("https://api.example.com/v1/items?offset={at}")})
            });
            Reply::of(
                json!({"data": ask.records(skip), "next_page": next}),
                "/data",
            )
        }),
        shape("Twilio", GET, &["Page", "PageSize"], |ask| {
            let (page, records, more) = ask.page("Page", 0);
            let next = more.then(|| format!("/v1/items?Page={}", page + 1));
            Reply::of(
                json!({"accounts": records, "page": page, "page_size": ask.size, "next_page_uri": next}),
                "/accounts",
            )
        }),
        shape("Bitbucket", GET, &["page", "pagelen"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let mut body = json!({"pagelen": ask.size, "page": page, "values": records});
            put(
                &mut body,
                "next",
                more.then(|| format!("https://api.example.com/v1/items?page={}", page + 1)),
            );
            Reply::of(body, "/values")
        }),
        shape("Elastic scroll", GET, &["scroll_id"], |ask| {
            let skip = ask.after("scroll_id");
            Reply::of(
                json!({"scroll_id": format!("c{}", skip + ask.size), "items": ask.records(skip)}),
                "/items",
            )
        }),
        shape("a bookmark", GET, &["bookmark"], |ask| {
            let skip = ask.after("bookmark");
            Reply::of(
                json!({"items": ask.records(skip), "bookmark": ask.cursor(skip)}),
                "/items",
            )
        }),
        shape("a marker", GET, &["marker"], |ask| {
            let skip = ask.after("marker");
            let more = ask.cursor(skip);
            Reply::of(
                json!({"IsTruncated": more.is_some(), "NextMarker": more, "items": ask.records(skip)}),
                "/items",
            )
        }),
        shape("Datasette", GET, &["_next"], |ask| {
            let skip = ask.after("_next");
            let next = ask.cursor(skip);
            let mut body = json!({"rows": ask.records(skip), "truncated": false, "filtered_table_rows_count": ask.of, "next": next});
            let url = next.map(|next| format!("https://api.example.com/v1/items?_next={next}"));
            put(&mut body, "next_url", url);
            Reply::of(body, "/rows")
        }),
        shape("Zoho", GET, &["page", "per_page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            Reply::of(
                json!({"data": records, "info": {"page": page, "per_page": ask.size, "count": records.len(), "more_records": more}}),
                "/data",
            )
        }),
        shape("a bare list by page", GET, &["page"], |ask| {
            Reply::bare(ask.page("page", 1).1)
        }),
        shape("a bare list by page from 0", GET, &["page"], |ask| {
            Reply::bare(ask.page("page", 0).1)
        }),
        shape("a bare list by offset", GET, &["offset"], |ask| {
            Reply::bare(ask.records(ask.number("offset", 0)))
        }),
        shape("everything at once", GET, &[], |ask| {
            Reply::bare(slice(ask.of, 0, ask.of))
        }),
    ]
}

fn read(shape: &Shape, strict: bool, of: u64, size: u64) -> Read {
    attempt(shape, strict, of, size).unwrap()
}

pub(crate) fn attempt(shape: &Shape, strict: bool, of: u64, size: u64) -> Result<Read, Error> {
    let mut request = base();
    request.body.clone_from(&shape.body);
    if shape.body.is_some() {
        request.method = Method::POST;
    }
    // One for all reads, as an engine has it.
    static AUTO: LazyLock<Arc<Configured>> =
        LazyLock::new(|| Arc::new(Settings::of(Style::Auto).build().unwrap()));
    let paginator = AUTO.clone();
    try_read(paginator, request, |request| {
        let query = request.url.query_pairs().map(|(name, _)| name.into_owned());
        let mut names: Vec<String> = query.collect();
        members(request.body.as_ref(), "", &mut names);
        let knows = |name: &String| name == "keep" || shape.knows.contains(&name.as_str());
        match strict && !names.iter().all(knows) {
            true => Reply::refusal(400),
            false => (shape.server)(&Ask { request, of, size }),
        }
    })
}

fn members(value: Option<&Value>, at: &str, names: &mut Vec<String>) {
    for (key, inner) in value.and_then(Value::as_object).into_iter().flatten() {
        members(Some(inner), &format!("{at}{key}."), names);
        names.push(format!("{at}{key}"));
    }
}

#[test]
fn every_shape_is_read_to_its_end() {
    let (mut right, mut tried, mut most) = (0, 0, 0);
    let mut wrong = Vec::new();
    for shape in shapes() {
        for strict in [false, true] {
            for size in [10, 7] {
                let of = 3 * size + 4;
                let read = read(&shape, strict, of, size);
                let once = read.ids.len() as u64 == of && read.ids.iter().max() == Some(&of);
                tried += 1;
                most = most.max(read.requests.len());
                let found = read.found.as_ref().map(Settings::line).unwrap_or_default();
                match read.result.is_ok() && once {
                    true => right += 1,
                    false => wrong.push(format!(
                        "{} (strict {strict}, size {size}): {} of {of}, {} {}; {found}; {:?}",
                        shape.name,
                        read.ids.len(),
                        read.end(),
                        read.told(),
                        read.urls()
                    )),
                }
            }
        }
    }
    println!(
        "auto: {right} of {tried} right, {} shapes, at most {most} requests for 4 pages",
        shapes().len()
    );
    assert!(
        wrong.is_empty(),
        "{right} of {tried}:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn whatever_the_number_of_records_all_are_read_or_the_read_says_so() {
    for shape in shapes() {
        for strict in [false, true] {
            let size = 10;
            {
                for of in [0, 1, size, size + 1, 2 * size] {
                    let read = read(&shape, strict, of, size);
                    let all = read.ids.len() as u64 == of;
                    let place =
                        format!("{} (strict {strict}), {of} in pages of {size}", shape.name);
                    assert!(
                        all || read.result.is_err(),
                        "{place}: {} read, {} {:?} {:?}",
                        read.ids.len(),
                        read.end(),
                        read.found,
                        read.urls()
                    );
                    assert!(
                        all && read.result.is_ok(),
                        "{place}: {} {} {:?}",
                        read.end(),
                        read.told(),
                        read.urls()
                    );
                }
            }
        }
    }
}

/// The line that is reported does the same without trials.
#[test]
fn what_was_found_reads_the_same_when_it_is_written_down() {
    for shape in shapes() {
        let by_auto = read(&shape, true, 34, 10);
        let Some(found) = by_auto.found else { continue };
        let mut request = base();
        request.body.clone_from(&shape.body);
        if shape.body.is_some() {
            request.method = Method::POST;
        }
        let written = try_read(found.build().unwrap(), request, |request| {
            (shape.server)(&Ask {
                request,
                of: 34,
                size: 10,
            })
        })
        .unwrap();
        assert_eq!(
            (written.ids.len(), written.end()),
            (34, by_auto_end(&shape)),
            "{}: {}",
            shape.name,
            found.line()
        );
        assert!(
            written.requests.len() <= 5,
            "{}: {:?}",
            shape.name,
            written.urls()
        );
    }
}

fn by_auto_end(shape: &Shape) -> &'static str {
    read(shape, true, 34, 10).end()
}
