"""Where servers write: the directories that packages and public images fix for a program of this name.

Sources: the nginx core module (`pid`, `http_*_temp_path`), postgres `unix_socket_directories`, and the images of
docker-library.  A name proves little; whoever asks looks whether the directory is there.
"""

from __future__ import annotations

WRITES: dict[str, tuple[str, ...]] = {
    "nginx": ("/var/cache/nginx", "/var/lib/nginx", "/var/lib/nginx/tmp", "/run", "/run/nginx"),
    "postgres": ("/var/lib/postgresql/data", "/var/run/postgresql", "/run/postgresql"),
    "mysqld": ("/var/lib/mysql", "/run/mysqld"),
    "mariadbd": ("/var/lib/mysql", "/run/mysqld"),
    "mongod": ("/data/db",),
    "redis-server": ("/data", "/var/lib/redis"),
    "apache2": ("/run/apache2", "/var/log/apache2"),
    "httpd": ("/usr/local/apache2/logs", "/run/httpd"),
    "rabbitmq-server": ("/var/lib/rabbitmq",),
    "php-fpm": ("/run/php",),
    "haproxy": ("/run/haproxy",),
    "squid": ("/var/spool/squid", "/var/log/squid"),
    "grafana-server": ("/var/lib/grafana",),
    "prometheus": ("/prometheus",),
    "elasticsearch": ("/usr/share/elasticsearch/data", "/usr/share/elasticsearch/logs"),
}
