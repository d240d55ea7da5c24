"""157 crates in a list of each way of paging that three frameworks come with, on free ports of the loopback address.

Django REST framework (also as JSON:API), fastapi-pagination, and Datasette. Prints where they listen, as one JSON object.
"""

import asyncio
import json
import socket
import sqlite3
import sys
from pathlib import Path

import uvicorn

CRATES = [{"id": number, "name": f"crate {number}"} for number in range(1, 158)]
PAGE = 10


def django(folder):
    """Every style of Django REST framework over the same table."""
    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application

    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "django.sqlite"}},
        INSTALLED_APPS=["rest_framework"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of no use outside this test",
        REST_FRAMEWORK={"UNAUTHENTICATED_USER": None, "DEFAULT_AUTHENTICATION_CLASSES": []},
    )
    django.setup()
    from django.db import connection, models
    from django.urls import path
    from rest_framework import generics, pagination, renderers, serializers
    from rest_framework_json_api import pagination as json_api_pagination
    from rest_framework_json_api import renderers as json_api_renderers

    class Crate(models.Model):
        name = models.TextField()

        class Meta:
            app_label = "harbour"
            ordering = ["id"]

        class JSONAPIMeta:
            resource_name = "crates"

    with connection.schema_editor() as editor:
        editor.create_model(Crate)
    Crate.objects.bulk_create(Crate(**crate) for crate in CRATES)

    class CrateSerializer(serializers.ModelSerializer):
        class Meta:
            model = Crate
            fields = ["id", "name"]

    def listing(base, renderer=renderers.JSONRenderer, **options):
        paginator = type(f"Of{base.__name__}", (base,), options)

        class Listing(generics.ListAPIView):
            queryset = Crate.objects.all()
            serializer_class = CrateSerializer
            pagination_class = paginator
            renderer_classes = [renderer]
            resource_name = "crates"

        return Listing.as_view()

    json_api = json_api_renderers.JSONRenderer
    sizes = {"page_size": PAGE, "page_size_query_param": "page_size", "max_page_size": 20}
    sys.modules[__name__].urlpatterns = [
        path("page", listing(pagination.PageNumberPagination, **sizes)),
        path("offset", listing(pagination.LimitOffsetPagination, default_limit=PAGE, max_limit=20)),
        path("cursor", listing(pagination.CursorPagination, ordering="id", page_size=PAGE)),
        path("json-api/page", listing(json_api_pagination.JsonApiPageNumberPagination, json_api, page_size=PAGE)),
        path("json-api/offset", listing(json_api_pagination.JsonApiLimitOffsetPagination, json_api, default_limit=PAGE)),
    ]
    return get_asgi_application()


def fastapi():
    """Every style of fastapi-pagination that needs no database."""
    from fastapi import FastAPI
    from fastapi_pagination import LimitOffsetPage, Page, add_pagination, paginate
    from fastapi_pagination.links import LimitOffsetPage as LimitOffsetLinks
    from fastapi_pagination.links import Page as PageLinks
    from pydantic import BaseModel

    class Crate(BaseModel):
        id: int
        name: str

    app = FastAPI()
    crates = [Crate(**crate) for crate in CRATES]
    for name, page in {
        "page": Page,
        "offset": LimitOffsetPage,
        "links/page": PageLinks,
        "links/offset": LimitOffsetLinks,
    }.items():

        @app.get(f"/{name}", response_model=page[Crate], name=name)
        def listing():
            return paginate(crates)

    add_pagination(app)
    return app


def datasette(folder):
    from datasette.app import Datasette

    file = folder / "harbour.db"
    with sqlite3.connect(file) as database:
        database.execute("create table crates (id integer primary key, name text)")
        database.executemany("insert into crates values (:id, :name)", CRATES)
    database.close()
    return Datasette([str(file)], settings={"default_page_size": PAGE}).app()


async def serve(apps):
    sockets = {}
    servers = []
    for name, app in apps.items():
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        sockets[name] = listener
        servers.append(uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="auto")))
    serving = [server.serve(sockets=[sockets[name]]) for name, server in zip(apps, servers)]
    serving = asyncio.gather(*serving)
    while not all(server.started for server in servers):
        await asyncio.sleep(0.05)
        if serving.done():
            break
    urls = {name: "http://127.0.0.1:%d" % listener.getsockname()[1] for name, listener in sockets.items()}
    print("listening on", json.dumps(urls), flush=True)
    await serving


if __name__ == "__main__":
    place = Path(sys.argv[1])
    asyncio.run(serve({"django": django(place), "fastapi": fastapi(), "datasette": datasette(place)}))
