//! `type: auto` against lists as they were not in mind when it was written: what well-known APIs of other kinds answer, and odd ones.
//!
//! It reads them all; or it says that there is more and what to write, never a part in silence.

use serde_json::json;

use crate::auto::{GET, Shape, attempt, put};
use crate::reading::{Reply, slice};

/// What a read comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Comes {
    /// To all records.
    Whole,
    /// To nothing more than it can know: the position goes where nobody could guess.
    Short,
}

fn link(to: &str) -> String {
    format!("https://api.example.com/v1/items?{to}")
}

fn others() -> Vec<(Comes, Shape)> {
    let whole = |name, body, knows, server| {
        (
            Comes::Whole,
            Shape {
                name,
                body,
                knows,
                server,
            },
        )
    };
    let short = |name, body, knows, server| {
        (
            Comes::Short,
            Shape {
                name,
                body,
                knows,
                server,
            },
        )
    };
    vec![
        // Numbers of pages.
        whole("nested envelope", GET, &["page"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            let pagination = json!({"page": page, "perPage": ask.size, "totalPages": ask.pages(), "totalCount": ask.of});
            Reply::of(
                json!({"data": {"users": records, "pagination": pagination}}),
                "/data/users",
            )
        }),
        whole("deeply nested envelope", GET, &["page"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            Reply::of(
                json!({"response": {"users": {"items": records, "page": page, "total": ask.of}}}),
                "/response/users/items",
            )
        }),
        whole("Cloudflare", GET, &["page", "per_page"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            let info = json!({"page": page, "per_page": ask.size, "count": records.len(), "total_count": ask.of, "total_pages": ask.pages()});
            Reply::of(
                json!({"success": true, "errors": [], "result": records, "result_info": info}),
                "/result",
            )
        }),
        whole("Fractal", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let mut pagination = json!({"total": ask.of, "count": records.len(), "per_page": ask.size, "current_page": page,
                "total_pages": ask.pages(), "links": {}});
            put(
                &mut pagination["links"],
                "next",
                more.then(|| link(&format!("page={}", page + 1))),
            );
            Reply::of(
                json!({"data": records, "meta": {"pagination": pagination}}),
                "/data",
            )
        }),
        whole(
            "Strapi",
            GET,
            &["pagination[page]", "pagination[pageSize]"],
            |ask| {
                let (page, records, _) = ask.page("pagination[page]", 1);
                let pagination = json!({"page": page, "pageSize": ask.size, "pageCount": ask.pages(), "total": ask.of});
                Reply::of(
                    json!({"data": records, "meta": {"pagination": pagination}}),
                    "/data",
                )
            },
        ),
        whole(
            "Terraform Cloud",
            GET,
            &["page[number]", "page[size]"],
            |ask| {
                let (page, records, more) = ask.page("page[number]", 1);
                let pagination = json!({"current-page": page, "page-size": ask.size, "prev-page": null, "next-page": more.then_some(page + 1),
                "total-pages": ask.pages(), "total-count": ask.of});
                Reply::of(
                    json!({"data": records, "meta": {"pagination": pagination}}),
                    "/data",
                )
                .header("content-type", "application/vnd.api+json; charset=utf-8")
            },
        ),
        whole("Linode", GET, &["page", "page_size"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            Reply::of(
                json!({"data": records, "page": page, "pages": ask.pages(), "results": ask.of}),
                "/data",
            )
        }),
        whole("DigitalOcean", GET, &["page", "per_page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let mut links = json!({});
            if more {
                links["pages"] = json!({"last": link(&format!("page={}", ask.pages())), "next": link(&format!("page={}", page + 1))});
            }
            Reply::of(
                json!({"droplets": records, "links": links, "meta": {"total": ask.of}}),
                "/droplets",
            )
        }),
        whole("Rick and Morty", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let next = more.then(|| link(&format!("page={}", page + 1)));
            Reply::of(
                json!({"info": {"count": ask.of, "pages": ask.pages(), "next": next, "prev": null}, "results": records}),
                "/results",
            )
        }),
        whole("crates.io, relative query", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let next = more.then(|| format!("?page={}", page + 1));
            Reply::of(
                json!({"crates": records, "meta": {"total": ask.of, "next_page": next, "prev_page": null}}),
                "/crates",
            )
        }),
        whole("ClickUp", GET, &["page"], |ask| {
            let (_, records, more) = ask.page("page", 0);
            Reply::of(json!({"tasks": records, "last_page": !more}), "/tasks")
        }),
        whole("Auth0", GET, &["page", "per_page"], |ask| {
            let (page, records, _) = ask.page("page", 0);
            Reply::of(
                json!({"start": page * ask.size, "limit": ask.size, "length": records.len(), "total": ask.of, "users": records}),
                "/users",
            )
        }),
        whole("Grafana", GET, &["page", "perpage"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            Reply::of(
                json!({"totalCount": ask.of, "teams": records, "page": page, "perPage": ask.size}),
                "/teams",
            )
        }),
        whole("Algolia", GET, &["page", "hitsPerPage"], |ask| {
            let (page, records, _) = ask.page("page", 0);
            Reply::of(
                json!({"hits": records, "page": page, "nbHits": ask.of, "nbPages": ask.pages(), "hitsPerPage": ask.size, "query": ""}),
                "/hits",
            )
        }),
        whole("Alibaba Cloud", GET, &["PageNumber", "PageSize"], |ask| {
            let (page, records, _) = ask.page("PageNumber", 1);
            Reply::of(
                json!({"RequestId": "A-1", "TotalCount": ask.of, "PageNumber": page, "PageSize": ask.size, "Zones": {"Zone": records}}),
                "/Zones/Zone",
            )
        }),
        whole("TikTok", GET, &["page", "page_size"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            let info = json!({"page": page, "page_size": ask.size, "total_number": ask.of, "total_page": ask.pages()});
            Reply::of(
                json!({"code": 0, "data": {"list": records, "page_info": info}}),
                "/data/list",
            )
        }),
        whole("InsightVM", GET, &["page", "size"], |ask| {
            let (page, records, _) = ask.page("page", 0);
            let info = json!({"number": page, "size": ask.size, "totalResources": ask.of, "totalPages": ask.pages()});
            Reply::of(json!({"resources": records, "page": info}), "/resources")
        }),
        whole("Salesloft", GET, &["page", "per_page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let paging = json!({"per_page": ask.size, "current_page": page, "next_page": more.then_some(page + 1), "prev_page": null});
            Reply::of(
                json!({"data": records, "metadata": {"paging": paging}}),
                "/data",
            )
        }),
        whole("Quay", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            Reply::of(
                json!({"tags": records, "page": page, "has_additional": more}),
                "/tags",
            )
        }),
        whole("total pages only", GET, &["page"], |ask| {
            let (_, records, _) = ask.page("page", 1);
            Reply::of(
                json!({"total_pages": ask.pages(), "users": records}),
                "/users",
            )
        }),
        whole("numbers as text", GET, &["page"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            Reply::of(
                json!({"page": page.to_string(), "pages": ask.pages().to_string(), "total": ask.of.to_string(), "list": records}),
                "/list",
            )
        }),
        whole("pageIndex from 0", GET, &["pageIndex", "pageSize"], |ask| {
            let (page, records, _) = ask.page("pageIndex", 0);
            Reply::of(
                json!({"items": records, "pageIndex": page, "totalPages": ask.pages()}),
                "/items",
            )
        }),
        whole("next page number, nested", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            Reply::of(
                json!({"items": records, "pagination": {"current": page, "next": more.then_some(page + 1)}}),
                "/items",
            )
        }),
        whole(
            "App Search",
            Some(json!({"query": "", "page": {"size": 10}})),
            &["query", "page", "page.size", "page.current"],
            |ask| {
                let (page, records, _) = ask.page("page.current", 1);
                let info = json!({"current": page, "total_pages": ask.pages(), "total_results": ask.of, "size": ask.size});
                Reply::of(
                    json!({"meta": {"alerts": [], "page": info}, "results": records}),
                    "/results",
                )
            },
        ),
        whole(
            "pagination.page in the body",
            Some(json!({"pagination": {"pageSize": 10}})),
            &["pagination", "pagination.pageSize", "pagination.page"],
            |ask| {
                let (page, records, _) = ask.page("pagination.page", 1);
                Reply::of(
                    json!({"rows": records, "pagination": {"page": page, "total": ask.of}}),
                    "/rows",
                )
            },
        ),
        // Headers.
        whole("X-Total and X-Page", GET, &["page", "per_page"], |ask| {
            let (page, records, _) = ask.page("page", 1);
            Reply::bare(records)
                .header("x-total", &ask.of.to_string())
                .header("x-total-pages", &ask.pages().to_string())
                .header("x-page", &page.to_string())
                .header("x-per-page", &ask.size.to_string())
        }),
        whole("X-Total alone", GET, &["page"], |ask| {
            Reply::bare(ask.page("page", 1).1).header("x-total", &ask.of.to_string())
        }),
        whole("Total and Per-Page", GET, &["page", "per_page"], |ask| {
            Reply::bare(ask.page("page", 1).1)
                .header("total", &ask.of.to_string())
                .header("per-page", &ask.size.to_string())
        }),
        whole(
            "X-Pagination, JSON in a header",
            GET,
            &["pageNumber", "pageSize"],
            |ask| {
                let (page, records, more) = ask.page("pageNumber", 1);
                let told = json!({"TotalCount": ask.of, "PageSize": ask.size, "CurrentPage": page, "TotalPages": ask.pages(), "HasNext": more});
                Reply::bare(records).header("x-pagination", &told.to_string())
            },
        ),
        whole(
            "Content-Range, PostgREST",
            GET,
            &["offset", "limit"],
            |ask| {
                let skip = ask.number("offset", 0);
                let records = ask.records(skip);
                let range = format!(
                    "{skip}-{}/{}",
                    skip + (records.len() as u64).saturating_sub(1),
                    ask.of
                );
                Reply::bare(records).header("content-range", &range)
            },
        ),
        whole("Link, unquoted and relative", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let reply = Reply::bare(records);
            match more {
                true => reply.header("link", &format!("</v1/items?page={}>;rel=next", page + 1)),
                false => reply,
            }
        }),
        whole(
            "Link, several relations and parameters",
            GET,
            &["page"],
            |ask| {
                let (page, records, more) = ask.page("page", 1);
                let reply = Reply::bare(records).header(
                    "link",
                    "<https://h/a?x=1,2>; title=\"a, b\"; rel=\"describedby\"",
                );
                match more {
                    true => reply.header(
                        "link",
                        &format!(
                            "<?page={}>; title=\"next, please\"; Rel=\"NEXT nofollow\"",
                            page + 1
                        ),
                    ),
                    false => reply,
                }
            },
        ),
        whole("Okta, a header for each link", GET, &["after"], |ask| {
            let skip = ask.after("after");
            let reply = Reply::bare(ask.records(skip))
                .header("link", &format!("<{}>; rel=\"self\"", link("limit=10")));
            match ask.cursor(skip) {
                Some(next) => reply.header(
                    "link",
                    &format!("<{}>; rel=\"next\"", link(&format!("after={next}"))),
                ),
                None => reply,
            }
        }),
        whole("Sentry", GET, &["cursor"], |ask| {
            let skip = ask.after("cursor");
            let at = skip + ask.size;
            let next = format!(
                "<{}>; rel=\"next\"; results=\"{}\"; cursor=\"c{at}\"",
                link(&format!("cursor=c{at}")),
                at < ask.of
            );
            let previous = format!(
                "<{}>; rel=\"previous\"; results=\"false\"; cursor=\"c0\"",
                link("cursor=c0")
            );
            Reply::bare(ask.records(skip)).header("link", &format!("{previous}, {next}"))
        }),
        whole("Shopify", GET, &["page_info", "limit"], |ask| {
            let skip = ask.after("page_info");
            let reply = Reply::of(json!({"products": ask.records(skip)}), "/products");
            match ask.cursor(skip) {
                Some(next) => reply.header(
                    "link",
                    &format!(
                        "<{}>; rel=\"next\"",
                        link(&format!("page_info={next}&limit=10"))
                    ),
                ),
                None => reply,
            }
        }),
        whole("Nomad", GET, &["next_token", "per_page"], |ask| {
            let skip = ask.after("next_token");
            let reply = Reply::bare(ask.records(skip));
            match ask.cursor(skip) {
                Some(next) => reply.header("x-nomad-nexttoken", &next),
                None => reply,
            }
        }),
        // Counted records.
        whole(
            "offset and total as text",
            GET,
            &["offset", "limit"],
            |ask| {
                let skip = ask.number("offset", 0);
                Reply::of(
                    json!({"offset": skip.to_string(), "limit": ask.size.to_string(), "total": ask.of.to_string(), "results": ask.records(skip)}),
                    "/results",
                )
            },
        ),
        whole("total as text, nested", GET, &["offset"], |ask| {
            let skip = ask.number("offset", 0);
            Reply::of(
                json!({"contacts": ask.records(skip), "meta": {"total": ask.of.to_string(), "page_input": {"limit": 20}}}),
                "/contacts",
            )
        }),
        whole("Bitbucket Server", GET, &["start", "limit"], |ask| {
            let skip = ask.number("start", 0);
            let records = ask.records(skip);
            let more = skip + ask.size < ask.of;
            let mut body = json!({"size": records.len(), "limit": ask.size, "isLastPage": !more, "values": records, "start": skip});
            put(&mut body, "nextPageStart", more.then_some(skip + ask.size));
            Reply::of(body, "/values")
        }),
        whole("Pipedrive", GET, &["start", "limit"], |ask| {
            let skip = ask.number("start", 0);
            let more = skip + ask.size < ask.of;
            let mut pagination =
                json!({"start": skip, "limit": ask.size, "more_items_in_collection": more});
            put(
                &mut pagination,
                "next_start",
                more.then_some(skip + ask.size),
            );
            Reply::of(
                json!({"success": true, "data": ask.records(skip), "additional_data": {"pagination": pagination}}),
                "/data",
            )
        }),
        whole("CKAN", GET, &["start", "rows"], |ask| {
            let skip = ask.number("start", 0);
            Reply::of(
                json!({"success": true, "result": {"count": ask.of, "results": ask.records(skip)}}),
                "/result/results",
            )
        }),
        whole("Meilisearch", GET, &["offset", "limit"], |ask| {
            let skip = ask.number("offset", 0);
            Reply::of(
                json!({"hits": ask.records(skip), "offset": skip, "limit": ask.size, "estimatedTotalHits": ask.of, "query": ""}),
                "/hits",
            )
        }),
        whole("Wazuh", GET, &["offset", "limit"], |ask| {
            let skip = ask.number("offset", 0);
            Reply::of(
                json!({"data": {"affected_items": ask.records(skip), "total_affected_items": ask.of, "total_failed_items": 0}, "error": 0}),
                "/data/affected_items",
            )
        }),
        whole("NVD", GET, &["startIndex", "resultsPerPage"], |ask| {
            let skip = ask.number("startIndex", 0);
            Reply::of(
                json!({"resultsPerPage": ask.size, "startIndex": skip, "totalResults": ask.of, "vulnerabilities": ask.records(skip)}),
                "/vulnerabilities",
            )
        }),
        whole("npm search", GET, &["from", "size", "text"], |ask| {
            let skip = ask.number("from", 0);
            Reply::of(
                json!({"objects": ask.records(skip), "total": ask.of, "time": "x"}),
                "/objects",
            )
        }),
        whole("Tenable", GET, &["offset", "limit"], |ask| {
            let skip = ask.number("offset", 0);
            let pagination = json!({"total": ask.of, "limit": ask.size, "offset": skip, "sort": [{"name": "id", "order": "asc"}]});
            Reply::of(
                json!({"scanners": ask.records(skip), "pagination": pagination}),
                "/scanners",
            )
        }),
        whole("Rundeck", GET, &["offset", "max"], |ask| {
            let skip = ask.number("offset", 0);
            let records = ask.records(skip);
            let paging =
                json!({"count": records.len(), "total": ask.of, "offset": skip, "max": ask.size});
            Reply::of(
                json!({"paging": paging, "executions": records}),
                "/executions",
            )
        }),
        whole(
            "Travis, a link below @pagination",
            GET,
            &["offset", "limit"],
            |ask| {
                let skip = ask.number("offset", 0);
                let more = skip + ask.size < ask.of;
                let next = more.then(|| json!({"@href": format!("/v1/items?limit={}&offset={}", ask.size, skip + ask.size), "offset": skip + ask.size, "limit": ask.size}));
                let pagination = json!({"limit": ask.size, "offset": skip, "count": ask.of, "is_first": skip == 0, "is_last": !more, "next": next});
                Reply::of(
                    json!({"@type": "repositories", "@pagination": pagination, "repositories": ask.records(skip)}),
                    "/repositories",
                )
            },
        ),
        whole("Octopus Deploy", GET, &["skip", "take"], |ask| {
            let skip = ask.number("skip", 0);
            let mut links = json!({"Self": "/v1/items{?skip,take}"});
            if skip + ask.size < ask.of {
                links["Page.Next"] = json!(format!("/v1/items?skip={}", skip + ask.size));
            }
            Reply::of(
                json!({"ItemType": "Project", "TotalResults": ask.of, "ItemsPerPage": ask.size, "NumberOfPages": ask.pages(),
                    "LastPageNumber": ask.pages().saturating_sub(1), "Items": ask.records(skip), "Links": links}),
                "/Items",
            )
        }),
        whole("next offset at the top", GET, &["offset"], |ask| {
            let skip = ask.number("offset", 0);
            let next = (skip + ask.size < ask.of).then_some(skip + ask.size);
            Reply::of(
                json!({"items": ask.records(skip), "nextOffset": next}),
                "/items",
            )
        }),
        whole(
            "from in the body, total at the top",
            Some(json!({"from": 0, "size": 10})),
            &["from", "size"],
            |ask| {
                let skip = ask.number("from", 0);
                Reply::of(
                    json!({"total": ask.of, "results": ask.records(skip)}),
                    "/results",
                )
            },
        ),
        // Cursors.
        whole(
            "has_more without cursor, last_id",
            GET,
            &["after", "limit"],
            |ask| {
                let skip = ask.number("after", 0);
                let records = ask.records(skip);
                let last = records.last().map(|record| record["id"].clone());
                Reply::of(
                    json!({"object": "list", "first_id": records.first().map(|record| record["id"].clone()), "last_id": last,
                    "has_more": skip + ask.size < ask.of, "data": records}),
                    "/data",
                )
            },
        ),
        whole("has_more, after_id", GET, &["after_id", "limit"], |ask| {
            let skip = ask.number("after_id", 0);
            Reply::of(
                json!({"data": ask.records(skip), "has_more": skip + ask.size < ask.of}),
                "/data",
            )
        }),
        whole(
            "starting_after under another flag",
            GET,
            &["starting_after"],
            |ask| {
                let skip = ask.number("starting_after", 0);
                Reply::of(
                    json!({"customers": ask.records(skip), "hasMoreItems": skip + ask.size < ask.of}),
                    "/customers",
                )
            },
        ),
        whole("Reddit", GET, &["after", "limit"], |ask| {
            let skip = ask.after("after");
            Reply::of(
                json!({"kind": "Listing", "data": {"after": ask.cursor(skip), "before": null, "dist": 10, "children": ask.records(skip)}}),
                "/data/children",
            )
        }),
        whole("Kubernetes", GET, &["continue", "limit"], |ask| {
            let skip = ask.after("continue");
            let mut metadata = json!({"resourceVersion": "12"});
            if let Some(next) = ask.cursor(skip) {
                metadata["continue"] = json!(next);
                metadata["remainingItemCount"] = json!(ask.of - skip - ask.size);
            }
            Reply::of(
                json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": ask.records(skip)}),
                "/items",
            )
        }),
        whole("Vultr", GET, &["cursor", "per_page"], |ask| {
            let skip = ask.after("cursor");
            let next = ask.cursor(skip).unwrap_or_default();
            Reply::of(
                json!({"instances": ask.records(skip), "meta": {"total": ask.of, "links": {"next": next, "prev": ""}}}),
                "/instances",
            )
        }),
        whole("Laravel cursor object", GET, &["cursor"], |ask| {
            let skip = ask.after("cursor");
            let records = ask.records(skip);
            let cursor = json!({"current": null, "prev": null, "next": ask.cursor(skip), "count": records.len()});
            Reply::of(
                json!({"data": records, "meta": {"cursor": cursor}}),
                "/data",
            )
        }),
        whole(
            "Twitter",
            GET,
            &["pagination_token", "max_results"],
            |ask| {
                let skip = ask.after("pagination_token");
                let records = ask.records(skip);
                let mut meta =
                    json!({"result_count": records.len(), "newest_id": "9", "oldest_id": "1"});
                put(&mut meta, "next_token", ask.cursor(skip));
                Reply::of(json!({"data": records, "meta": meta}), "/data")
            },
        ),
        whole("Square", Some(json!({})), &["cursor", "limit"], |ask| {
            let skip = ask.after("cursor");
            let mut body = json!({"objects": ask.records(skip)});
            put(&mut body, "cursor", ask.cursor(skip));
            Reply::of(body, "/objects")
        }),
        whole("YouTube", GET, &["pageToken", "maxResults"], |ask| {
            let skip = ask.after("pageToken");
            let mut body = json!({"kind": "x", "pageInfo": {"totalResults": ask.of, "resultsPerPage": ask.size}, "items": ask.records(skip)});
            put(&mut body, "nextPageToken", ask.cursor(skip));
            Reply::of(body, "/items")
        }),
        whole("Zoom", GET, &["next_page_token", "page_size"], |ask| {
            let skip = ask.after("next_page_token");
            let next = ask.cursor(skip).unwrap_or_default();
            Reply::of(
                json!({"page_count": ask.pages(), "page_number": 1, "page_size": ask.size, "total_records": ask.of, "next_page_token": next, "users": ask.records(skip)}),
                "/users",
            )
        }),
        whole(
            "Crossref, a cursor on the last page",
            GET,
            &["cursor", "rows"],
            |ask| {
                let skip = ask.after("cursor");
                Reply::of(
                    json!({"status": "ok", "message": {"total-results": ask.of, "items-per-page": ask.size, "next-cursor": format!("c{}", skip + ask.size), "items": ask.records(skip)}}),
                    "/message/items",
                )
            },
        ),
        whole("Gong", GET, &["cursor"], |ask| {
            let skip = ask.after("cursor");
            let mut records = json!({"totalRecords": ask.of, "currentPageSize": ask.size, "currentPageNumber": skip / ask.size});
            put(&mut records, "cursor", ask.cursor(skip));
            Reply::of(
                json!({"requestId": "x", "records": records, "calls": ask.records(skip)}),
                "/calls",
            )
        }),
        whole("Pipedrive, cursor", GET, &["cursor", "limit"], |ask| {
            let skip = ask.after("cursor");
            Reply::of(
                json!({"success": true, "data": ask.records(skip), "additional_data": {"next_cursor": ask.cursor(skip)}}),
                "/data",
            )
        }),
        whole("Cloudflare, cursors", GET, &["cursor", "per_page"], |ask| {
            let skip = ask.after("cursor");
            let records = ask.records(skip);
            let after = ask.cursor(skip).unwrap_or_default();
            Reply::of(
                json!({"success": true, "result_info": {"count": records.len(), "cursors": {"after": after}, "per_page": ask.size}, "result": records}),
                "/result",
            )
        }),
        whole("GitBook", GET, &["page", "limit"], |ask| {
            let skip = ask.after("page");
            let mut body = json!({"items": ask.records(skip)});
            put(
                &mut body,
                "next",
                ask.cursor(skip).map(|next| json!({"page": next})),
            );
            Reply::of(body, "/items")
        }),
        whole("Eventbrite", GET, &["continuation"], |ask| {
            let skip = ask.after("continuation");
            let mut pagination = json!({"object_count": ask.of, "page_number": skip / ask.size + 1, "page_size": ask.size, "page_count": ask.pages(),
                "has_more_items": ask.cursor(skip).is_some()});
            put(&mut pagination, "continuation", ask.cursor(skip));
            Reply::of(
                json!({"pagination": pagination, "events": ask.records(skip)}),
                "/events",
            )
        }),
        whole("Backstage", GET, &["cursor", "limit"], |ask| {
            let skip = ask.after("cursor");
            let mut info = json!({});
            put(&mut info, "nextCursor", ask.cursor(skip));
            Reply::of(
                json!({"items": ask.records(skip), "totalItems": ask.of, "pageInfo": info}),
                "/items",
            )
        }),
        whole("Phabricator", GET, &["after", "limit"], |ask| {
            let skip = ask.after("after");
            let cursor = json!({"limit": ask.size, "after": ask.cursor(skip), "before": null, "order": null});
            Reply::of(
                json!({"result": {"data": ask.records(skip), "cursor": cursor}, "error_code": null}),
                "/result/data",
            )
        }),
        whole("Box, marker", GET, &["marker", "usemarker"], |ask| {
            let skip = ask.after("marker");
            Reply::of(
                json!({"entries": ask.records(skip), "limit": ask.size, "next_marker": ask.cursor(skip).unwrap_or_default()}),
                "/entries",
            )
        }),
        whole("Solr, cursorMark", GET, &["cursorMark", "rows"], |ask| {
            let skip = ask.after("cursorMark");
            let next = ask
                .cursor(skip)
                .unwrap_or_else(|| format!("c{}", ask.of.max(skip)));
            Reply::of(
                json!({"response": {"numFound": ask.of, "docs": ask.records(skip)}, "nextCursorMark": next}),
                "/response/docs",
            )
        }),
        whole(
            "CircleCI, a name with a dash",
            GET,
            &["page-token"],
            |ask| {
                let skip = ask.after("page-token");
                Reply::of(
                    json!({"items": ask.records(skip), "next_page_token": ask.cursor(skip)}),
                    "/items",
                )
            },
        ),
        whole(
            "Lever, next as an offset of text",
            GET,
            &["offset", "limit"],
            |ask| {
                let skip = ask.after("offset");
                let mut body =
                    json!({"data": ask.records(skip), "hasNext": ask.cursor(skip).is_some()});
                put(&mut body, "next", ask.cursor(skip));
                Reply::of(body, "/data")
            },
        ),
        whole("capital names", GET, &["PageToken", "PageSize"], |ask| {
            let skip = ask.after("PageToken");
            let mut body = json!({"Accounts": ask.records(skip)});
            put(&mut body, "NextPageToken", ask.cursor(skip));
            Reply::of(body, "/Accounts")
        }),
        // Links.
        whole("OData 2", GET, &["$skiptoken", "$top"], |ask| {
            let skip = ask.after("$skiptoken");
            let mut d = json!({"results": ask.records(skip), "__count": ask.of.to_string()});
            put(
                &mut d,
                "__next",
                ask.cursor(skip)
                    .map(|next| link(&format!("$skiptoken={next}"))),
            );
            Reply::of(json!({"d": d}), "/d/results")
        }),
        whole(
            "Confluence, relative to the origin",
            GET,
            &["start", "limit", "cursor"],
            |ask| {
                let skip = ask.after("cursor");
                let mut links = json!({"base": "https://api.example.com/wiki", "context": "/wiki"});
                put(
                    &mut links,
                    "next",
                    ask.cursor(skip)
                        .map(|next| format!("/v1/items?limit=10&cursor={next}")),
                );
                Reply::of(
                    json!({"results": ask.records(skip), "_links": links}),
                    "/results",
                )
            },
        ),
        whole("TeamCity", GET, &["locator"], |ask| {
            let skip = ask.after("locator");
            let mut body = json!({"count": ask.records(skip).len(), "href": "/v1/items", "build": ask.records(skip)});
            put(
                &mut body,
                "nextHref",
                ask.cursor(skip)
                    .map(|next| format!("/v1/items?locator={next}")),
            );
            Reply::of(body, "/build")
        }),
        whole("OpenStack", GET, &["marker", "limit"], |ask| {
            let skip = ask.after("marker");
            let mut body = json!({"servers": ask.records(skip)});
            put(
                &mut body,
                "servers_links",
                ask.cursor(skip)
                    .map(|next| json!([{"rel": "next", "href": link(&format!("marker={next}"))}])),
            );
            Reply::of(body, "/servers")
        }),
        whole("Oracle", GET, &["offset", "limit"], |ask| {
            let skip = ask.number("offset", 0);
            let (records, more) = (ask.records(skip), skip + ask.size < ask.of);
            let mut links = vec![json!({"rel": "self", "href": link("")})];
            if more {
                links.push(
                    json!({"rel": "next", "href": link(&format!("offset={}", skip + ask.size))}),
                );
            }
            Reply::of(
                json!({"items": records, "hasMore": more, "limit": ask.size, "offset": skip, "count": records.len(), "links": links}),
                "/items",
            )
        }),
        whole("Vimeo", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            let next = more.then(|| format!("/v1/items?page={}", page + 1));
            Reply::of(
                json!({"total": ask.of, "page": page, "per_page": ask.size, "paging": {"next": next, "previous": null, "first": "/v1/items?page=1"}, "data": records}),
                "/data",
            )
        }),
        whole(
            "a list of links with one key each",
            GET,
            &["page", "per_page"],
            |ask| {
                let (page, records, more) = ask.page("page", 1);
                let mut links = vec![json!({"self": "/v1/items"})];
                if more {
                    links.push(json!({"next": format!("/v1/items?page={}", page + 1)}));
                }
                let about = json!({"page": page, "per_page": ask.size, "page_count": ask.pages(), "total_count": ask.of, "links": links});
                Reply::of(json!({"_metadata": about, "records": records}), "/records")
            },
        ),
        whole("relative path without a slash", GET, &["page"], |ask| {
            let (page, records, more) = ask.page("page", 1);
            Reply::of(
                json!({"items": records, "paging": {"nextUrl": more.then(|| format!("items?page={}", page + 1))}}),
                "/items",
            )
        }),
        // What nobody could guess.
        short("a position in a header of the request", GET, &[], |ask| {
            let skip = ask
                .request
                .headers
                .get("x-continuation")
                .and_then(|at| at.to_str().ok()?.strip_prefix('c')?.parse().ok())
                .unwrap_or(0);
            let reply = Reply::of(json!({"Documents": ask.records(skip)}), "/Documents");
            match ask.cursor(skip) {
                Some(next) => reply.header("x-ms-continuation", &next),
                None => reply,
            }
        }),
        short("Vercel", GET, &["until"], |ask| {
            let skip = ask.number("until", 1_600_000_000) - 1_600_000_000;
            let records = ask.records(skip);
            let next = (skip + ask.size < ask.of).then_some(1_600_000_000 + skip + ask.size);
            Reply::of(
                json!({"deployments": records, "pagination": {"count": records.len(), "next": next, "prev": null}}),
                "/deployments",
            )
        }),
        short("a total beside a name of its own", GET, &["ab"], |ask| {
            let skip = ask.number("ab", 0);
            Reply::of(json!({"total": ask.of, "list": ask.records(skip)}), "/list")
        }),
        short(
            "a cursor beside a name of its own",
            GET,
            &["resumeAt"],
            |ask| {
                let skip = ask.after("resumeAt");
                let mut body = json!({"list": ask.records(skip)});
                put(&mut body, "nextCursor", ask.cursor(skip));
                Reply::of(body, "/list")
            },
        ),
        // No pages at all, but what looks like them.
        whole("everything with a total", GET, &[], |ask| {
            Reply::of(
                json!({"total": ask.of, "list": slice(ask.of, 0, ask.of)}),
                "/list",
            )
        }),
        whole("everything with a count and a page", GET, &[], |ask| {
            Reply::of(
                json!({"count": ask.of, "page": 1, "list": slice(ask.of, 0, ask.of)}),
                "/list",
            )
        }),
        whole("everything in an envelope", GET, &[], |ask| {
            Reply::of(
                json!({"status": "ok", "data": {"list": slice(ask.of, 0, ask.of)}}),
                "/data/list",
            )
        }),
        // Names and signs that were met later.
        whole(
            "Companies House",
            GET,
            &["start_index", "items_per_page"],
            |ask| {
                let skip = ask.number("start_index", 0);
                let page = skip / ask.size + 1;
                Reply::of(
                    json!({"items": ask.records(skip), "items_per_page": ask.size, "start_index": skip, "total_results": ask.of, "page_number": page}),
                    "/items",
                )
            },
        ),
        whole("json-server", GET, &["_page", "_limit"], |ask| {
            let (_, records, _) = ask.page("_page", 1);
            Reply::bare(records).header("x-total-count", &ask.of.to_string())
        }),
        whole("Xray", GET, &["page_num", "num_of_rows"], |ask| {
            let (_, records, _) = ask.page("page_num", 1);
            Reply::of(json!({"total_count": ask.of, "data": records}), "/data")
        }),
        whole("Sumo Logic", GET, &["token", "limit"], |ask| {
            let skip = ask.after("token");
            let mut body = json!({"data": ask.records(skip)});
            put(&mut body, "next", ask.cursor(skip));
            Reply::of(body, "/data")
        }),
        whole("Drift", GET, &["next", "limit"], |ask| {
            let skip = ask.number("next", 0);
            let more = skip + ask.size < ask.of;
            let mut paging = json!({"more": more});
            put(&mut paging, "next", more.then_some(skip + ask.size));
            Reply::of(
                json!({"data": ask.records(skip), "pagination": paging}),
                "/data",
            )
        }),
        whole("Pinecone", GET, &["paginationToken", "limit"], |ask| {
            let skip = ask.after("paginationToken");
            let mut body =
                json!({"vectors": ask.records(skip), "namespace": "", "usage": {"readUnits": 1}});
            if let Some(next) = ask.cursor(skip) {
                body["pagination"] = json!({"next": next});
            }
            Reply::of(body, "/vectors")
        }),
        whole(
            "Segment",
            GET,
            &["pagination.cursor", "pagination.count"],
            |ask| {
                let skip = ask.after("pagination.cursor");
                let mut paging = json!({"current": format!("c{skip}"), "totalEntries": ask.of});
                put(&mut paging, "next", ask.cursor(skip));
                Reply::of(
                    json!({"data": {"sources": ask.records(skip), "pagination": paging}}),
                    "/data/sources",
                )
            },
        ),
        whole("Vanta", GET, &["pageCursor", "pageSize"], |ask| {
            let skip = ask.after("pageCursor");
            let records = ask.records(skip);
            let end = skip + records.len() as u64;
            let info = json!({"endCursor": format!("c{end}"), "startCursor": format!("c{skip}"), "hasNextPage": end < ask.of, "hasPreviousPage": skip > 0});
            Reply::of(
                json!({"results": {"pageInfo": info, "data": records}}),
                "/results/data",
            )
        }),
        whole("DocuSign", GET, &["start_position", "count"], |ask| {
            let skip = ask.number("start_position", 0);
            let records = ask.records(skip);
            let body = json!({"resultSetSize": records.len().to_string(), "totalSetSize": ask.of.to_string(), "startPosition": skip.to_string(),
                "endPosition": (skip + records.len() as u64).to_string(), "envelopes": records});
            Reply::of(body, "/envelopes")
        }),
        whole(
            "ArcGIS",
            GET,
            &["resultOffset", "resultRecordCount"],
            |ask| {
                let skip = ask.number("resultOffset", 0);
                let mut body = json!({"fields": [], "features": ask.records(skip)});
                put(
                    &mut body,
                    "exceededTransferLimit",
                    (skip + ask.size < ask.of).then_some(true),
                );
                Reply::of(body, "/features")
            },
        ),
        whole("Datadog hosts", GET, &["start", "count"], |ask| {
            let skip = ask.number("start", 0);
            let records = ask.records(skip);
            let returned = records.len();
            Reply::of(
                json!({"host_list": records, "total_returned": returned, "total_matching": ask.of}),
                "/host_list",
            )
        }),
        whole("New York Times", GET, &["page"], |ask| {
            let (page, records, _) = ask.page("page", 0);
            Reply::of(
                json!({"status": "OK", "response": {"docs": records, "meta": {"hits": ask.of, "offset": page * ask.size, "time": 5}}}),
                "/response/docs",
            )
        }),
        whole("MediaWiki", GET, &["gcmcontinue", "continue"], |ask| {
            let skip = ask.after("gcmcontinue");
            let mut body = json!({"batchcomplete": true, "query": {"pages": ask.records(skip)}});
            if let Some(next) = ask.cursor(skip) {
                body["continue"] = json!({"gcmcontinue": next, "continue": "gcmcontinue||"});
            }
            Reply::of(body, "/query/pages")
        }),
        short(
            "DynamoDB",
            Some(json!({"TableName": "t"})),
            &["TableName", "ExclusiveStartKey"],
            |ask| {
                let mut body = json!({"Items": ask.records(0)});
                if ask.size < ask.of {
                    body["LastEvaluatedKey"] = json!({"id": {"N": "7"}});
                }
                Reply::of(body, "/Items")
            },
        ),
    ]
}

#[test]
fn lists_of_every_other_kind_are_read_to_their_end_or_said_to_be_cut() {
    let (mut right, mut tried, mut cut) = (0, 0, 0);
    let mut wrong = Vec::new();
    for (comes, shape) in others() {
        for (strict, size) in [(false, 10), (true, 10), (false, 7), (true, 7)] {
            for of in [0, 1, size, size + 1, 2 * size, 3 * size + 4] {
                if of != 3 * size + 4 && (!strict || size == 7) {
                    continue;
                }
                let read = match attempt(&shape, strict, of, size) {
                    Ok(read) => read,
                    Err(error) => {
                        tried += 1;
                        wrong.push(format!(
                            "{} (strict {strict}, {of} by {size}): {error}",
                            shape.name
                        ));
                        continue;
                    }
                };
                let mut ids = read.ids.clone();
                ids.sort_unstable();
                ids.dedup();
                let all = ids.len() as u64 == of && read.ids.len() as u64 == of;
                let as_expected = match comes {
                    Comes::Whole => all && read.result.is_ok(),
                    Comes::Short => {
                        all || read.result.is_err() && read.told().contains("param: NAME")
                    }
                };
                tried += 1;
                right += u32::from(all && read.result.is_ok());
                cut += u32::from(read.result.is_err());
                if !as_expected {
                    wrong.push(format!(
                        "{}{} (strict {strict}, {of} by {size}): {} read, {} {}; {}; {:?}",
                        if read.result.is_ok() && !all {
                            "SILENT "
                        } else {
                            ""
                        },
                        shape.name,
                        read.ids.len(),
                        read.end(),
                        read.told(),
                        read.found
                            .as_ref()
                            .map(longshore_paginate::Settings::line)
                            .unwrap_or_default(),
                        read.urls()
                            .iter()
                            .map(|url| url.trim_start_matches(crate::reading::BASE).to_owned())
                            .collect::<Vec<_>>()
                    ));
                }
            }
        }
    }
    println!(
        "auto: {right} of {tried} reads of {} other shapes are whole, {cut} say that they are cut",
        others().len()
    );
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
