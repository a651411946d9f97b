-- Which migrations this database has had, with a checksum of each as it was applied.
create table migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default clock_timestamp()
);
