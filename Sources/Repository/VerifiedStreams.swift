/// A table of the numbers that settled trades of a stream carry, as far as was verified: each row is a run of them
/// without a gap.
///
/// It goes with a table of ``VerifiedBalances``, and is kept and replaced together with it.
struct VerifiedStreams: Sendable {
    let table: String

    static let ofThisRun = VerifiedStreams(table: "checked_streams")
    static let kept = VerifiedStreams(table: "verified_streams")

    private func name(_ statement: String) -> String { table == Self.kept.table ? statement + "_kept" : statement }
}

/// Invariant 7 for streams that nobody follows, whose trades carry the numbers of their sender: each that is counted is
/// there.
extension VerifiedStreams {
    /// Takes the numbers of a range of batches up into the runs, and names streams that were counted and are not known
    /// any more. What a sender numbers twice is for the sender to say, and no fault of the books.
    var numbersCheck: Verification.Check {
        Verification.Check(
            7, name("verify_7_numbers"),
            """
            with numbers as (
                select t.stream, t.stream_seq, min(t.batch_no) as batch_no from trades t
                 where t.status = 'SETTLED' and t.batch_no between $1 and $2
                   and t.stream is not null and t.stream_seq > 0
                   and not exists (select from feed_state f where f.stream = t.stream)
                   and not exists (
                    select from trade_streams s where s.stream = t.stream and s.uncounted_for is not null)
                 group by 1, 2),
            runs as (
                select stream, min(stream_seq) as first_seq, max(stream_seq) as last_seq
                  from (select stream, stream_seq,
                               stream_seq - row_number() over (partition by stream order by stream_seq) as run
                          from numbers) n
                 group by stream, run),
            reached as (
                select stream, min(first_seq) as first_seq, max(last_seq) as last_seq from runs group by stream),
            pieces as (
                select stream, first_seq, last_seq from runs
                union all
                select c.stream, c.first_seq, c.last_seq from \(table) c join reached r using (stream)
                 where c.last_seq >= r.first_seq - 1 and c.first_seq - 1 <= r.last_seq),
            ordered as (
                select p.*, max(last_seq) over (partition by stream order by first_seq, last_seq
                           rows between unbounded preceding and 1 preceding) as covered
                  from pieces p),
            joined as (
                select stream, min(first_seq) as first_seq, max(last_seq) as last_seq
                  from (select o.*, count(*) filter (where covered is null or first_seq - 1 > covered) over (
                                   partition by stream order by first_seq, last_seq) as piece
                          from ordered o) o
                 group by stream, piece),
            absorbed as (
                delete from \(table) c using joined j
                 where c.stream = j.stream and c.first_seq > j.first_seq and c.first_seq <= j.last_seq),
            extended as (
                insert into \(table) as c (stream, first_seq, last_seq)
                select stream, first_seq, last_seq from joined
                    on conflict (stream, first_seq) do update set last_seq = excluded.last_seq
                       where c.last_seq <> excluded.last_seq)
            select 'stream ' || stream,
                   format('numbers from %s to %s were counted, and the stream is not known', min(stream_seq),
                       max(stream_seq))
              from numbers n
             where batch_no <= (select batch_no from trade_stream_count)
               and not exists (select from trade_streams s where s.stream = n.stream)
             group by stream order by 1 limit $3
            """)
    }

    /// The numbers of a stream, counted up to the newest, that need no settled trade. A row beyond the newest ends
    /// them.
    private static let standing = """
        select s.stream, s.newest, k.first_seq, k.last_seq
          from trade_streams s
          join (select stream, first_seq, last_seq from trade_stream_gaps
                union all
                select stream, stream_seq, stream_seq from dead_letters where stream_seq > 0
                union all
                select stream, stream_seq, stream_seq from purged_letters where stream_seq > 0
                union all
                select stream, stream_seq, stream_seq from trades where status = 'FAILED' and stream_seq > 0
                union all
                select stream, stream_seq, stream_seq from trades where status = 'PENDING' and stream_seq > 0
                union all
                select stream, least(newest, 9223372036854775806) + 1, newest from trade_streams) k using (stream)
         where s.uncounted_for is null
        """

    /// Puts down how the streams stand.
    static let noteStatement = Statement(
        "verify_7_note", "insert into noted_numbers (stream, newest, first_seq, last_seq)\n" + standing)

    /// What is counted, and is neither a settled trade's nor a letter's, nor on record as missing. A letter that was
    /// cleared away by an earlier version may have had any number.
    func countsCheck(_ standing: Verification.Standing) -> Verification.Check {
        Verification.Check(
            7, name("verify_7_streams"),
            """
            with noted as (
                select n.stream, n.newest, n.first_seq, n.last_seq
                  from \(standing == .noted ? "noted_numbers" : "(\(Self.standing))") n
                  join trade_streams s using (stream)
                 where s.uncounted_for is null and not exists (select from feed_state f where f.stream = n.stream)),
            known as (
                select stream, newest, first_seq, last_seq from noted
                union all
                select stream, newest, c.first_seq, c.last_seq
                  from \(table) c join (select distinct stream, newest from noted) n using (stream)),
            ordered as (
                select stream, newest, first_seq, coalesce(max(last_seq) over (
                           partition by stream order by first_seq, last_seq
                           rows between unbounded preceding and 1 preceding), 0) as covered
                  from known),
            missing as (
                select stream, covered + 1 as first_seq, first_seq - 1 as last_seq,
                       sum(first_seq - 1 - covered) over () as numbers
                  from ordered where first_seq - 1 > covered and first_seq - 1 <= newest)
            select 'stream ' || stream,
                   case first_seq
                       when last_seq then format('number %s is counted, and no trade and no letter has it', first_seq)
                       else format('numbers %s to %s are counted, and no trades and no letters have them', first_seq,
                           last_seq) end
              from missing
             where numbers > (select count(*) from purged_letters
                               where not has_number and class <> 'undecodable' and (not stored or version > 1)
                                 and purged_at < (select applied_at from migrations where version = 14))
             order by stream, first_seq limit $1
            """)
    }
}
