#!/bin/sh
# Prometheus, promtool and Alertmanager as links in a folder: from PATH, else out of Debian's packages, which need not be
# installed for it (they are Go programs that want nothing but libc). Needs no root.
set -eu
folder=$1
wanted="prometheus promtool prometheus-alertmanager"

give_up() {
	echo "make e2e needs prometheus, promtool and prometheus-alertmanager: $1" >&2
	echo "Debian and Ubuntu: apt install prometheus prometheus-alertmanager; elsewhere https://prometheus.io/download/," >&2
	echo "with alertmanager linked as prometheus-alertmanager on PATH." >&2
	exit 1
}

# apt with lists and a cache of its own, below the folder, so that it touches nothing of the system's.
own_apt() {
	apt-get -qq -o "Dir::State=$folder/apt/state" -o "Dir::Cache=$folder/apt/cache" -o "Dir::State::status=/var/lib/dpkg/status" \
		-o APT::Sandbox::User=root -o Debug::NoLocking=1 "$@"
}

fetch() {
	command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "not on PATH, and there is no apt to fetch them"
	mkdir -p "$folder/apt/state/lists/partial" "$folder/apt/cache/archives/partial" "$folder/packages"
	own_apt update >&2 || give_up "not on PATH, and apt-get update failed"
	(cd "$folder/packages" && own_apt download prometheus prometheus-alertmanager >&2) ||
		give_up "not on PATH, and apt-get download failed"
	for package in "$folder"/packages/*.deb; do
		dpkg-deb -x "$package" "$folder/debian"
	done
	rm -rf "$folder/apt" "$folder/packages"
}

rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
missing=
for name in $wanted; do
	command -v "$name" >/dev/null || missing="$missing $name"
done
[ -z "$missing" ] || fetch
for name in $wanted; do
	found=$(command -v "$name" || echo "$folder/debian/usr/bin/$name")
	"$found" --version >/dev/null 2>&1 || give_up "$found does not run"
	ln -s "$found" "$folder/$name"
done
