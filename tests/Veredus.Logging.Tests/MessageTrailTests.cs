using System.Text;

namespace Veredus.Logging.Tests;

public sealed class MessageTrailTests : IDisposable
{
    private static readonly LogId s_id = LogId.From("10/00-00007-08B31BA6"), s_other = LogId.From("20/00-00007-08B31BA6");

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-trail-").FullName;

    private string Log => Path.Combine(_directory, "mainlog.ec");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Lines_of_one_message_are_found_among_others_and_its_batch_is_not_taken_for_it()
    {
        Write(Log, Failed(100, s_other, batch: s_id, 0), Failed(101, s_id, batch: s_id, 0), Failed(102, s_other, batch: s_other, 0), "torn@10/00-00007-08B31BA6@", Failed(103, s_id, batch: s_id, 1));
        var trail = MessageTrail.Read([Log], s_id, since: 0);
        Assert.Equal([(101, 0), (103, 1)], trail.Records.Cast<FailureRecord>().Select(record => ((int)record.Time, record.Retries)));
        Assert.Equal(100, trail.BeginsAt);
    }

    [Fact]
    public void The_rotated_file_is_read_when_the_newer_one_does_not_reach_back()
    {
        Write(Log + ".1", Failed(100, s_id, s_id, 0));
        Write(Log, Failed(200, s_id, s_id, 1));
        Assert.Equal([100, 200], Times(MessageTrail.Read([Log, Log + ".1"], s_id, since: 150)));
        Assert.Equal([200], Times(MessageTrail.Read([Log, Log + ".1"], s_id, since: 200)));
    }

    [Fact]
    public void A_log_that_is_too_long_is_read_from_its_end_and_it_says_where_it_begins()
    {
        var lines = Enumerable.Range(0, 1000).Select(i => Failed(i, i % 2 == 0 ? s_id : s_other, s_other, i)).ToArray();
        Write(Log, lines);
        var most = lines[^100..].Sum(line => line.Length + 1) + 3;
        var trail = MessageTrail.Read([Log, Log + ".1"], s_id, since: 0, most);
        Assert.Equal(900, trail.BeginsAt);
        Assert.Equal(Enumerable.Range(900, 100).Where(i => i % 2 == 0), Times(trail));
    }

    [Fact]
    public void Lines_are_whole_however_the_file_is_cut_into_reads()
    {
        // Longer than one read, with lines that lie across its end, and one that is longer than a read.
        var lines = Enumerable.Range(0, 20_000).Select(i => i == 7000 ? Failed(i, s_id, s_other, i, new string('x', 1_500_000)) : Failed(i, i % 100 == 0 ? s_id : s_other, s_other, i)).ToArray();
        Write(Log, lines);
        Assert.Equal(Enumerable.Range(0, 20_000).Where(i => i % 100 == 0), Times(MessageTrail.Read([Log], s_id, since: 0)));
    }

    [Fact]
    public void Without_a_log_nothing_is_known_and_no_beginning_is_claimed()
    {
        Assert.Null(MessageTrail.Read([Log], s_id, since: 0).BeginsAt);
        File.WriteAllText(Log, "");
        Assert.Null(MessageTrail.Read([Log], s_id, since: 0).BeginsAt);
    }

    private static IEnumerable<int> Times(MessageTrail trail) => trail.Records.Cast<FailureRecord>().Select(record => (int)record.Time);

    private static void Write(string path, params string[] lines) => File.WriteAllText(path, string.Concat(lines.Select(line => line + "\n")));

    private static string Failed(long time, LogId id, LogId batch, int retries, string reply = "451 later")
    {
        var line = new LineBuffer();
        new FailureRecord
        {
            Time = time, MessageId = id, BatchId = batch, ConnectionId = default, Kind = FailureKind.Transient, Domain = "d.test", BytesSent = 1, BindingGroup = "default", Binding = "b1",
            Stage = DeliveryStage.AfterMailFrom, Retries = retries, SinceReception = TimeSpan.FromSeconds(1), Reply = reply,
        }.FormatLine(line);
        return Encoding.UTF8.GetString(line.Written);
    }
}
