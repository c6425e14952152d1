using System.Text;
using System.Text.Json;
using Xunit.Abstractions;

namespace Veredus.Logging.Tests;

public sealed class RoundTripTests(ITestOutputHelper output)
{
    private const int Rounds = 3000;

    [Fact]
    public void Every_record_reads_back_from_its_line_whatever_its_fields_hold()
    {
        var seed = Sample.NewSeed();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var sample = new Sample(seed);
        for (var round = 0; round < Rounds; round++)
        {
            ReadsBack(LogKind.Main, sample.Reception());
            ReadsBack(LogKind.Main, sample.Delivery());
            ReadsBack(LogKind.Main, sample.Failure());
            ReadsBack(LogKind.Bounce, sample.Bounce());
            ReadsBack(LogKind.Import, sample.Import());
            ReadsBack(LogKind.Account, sample.Authentication());
            ReadsBack(LogKind.Account, sample.Authorization());
            ReadsBack(LogKind.Panic, new PanicRecord(sample.Number(), sample.Text()));
            ReadsBack(LogKind.Main, new HeartbeatRecord(LogKind.Main, sample.Number()));
            ReadsBack(LogKind.Bounce, new HeartbeatRecord(LogKind.Bounce, sample.Number()));
        }
    }

    [Fact]
    public void A_rejection_reads_back_with_its_contexts()
    {
        var seed = Sample.NewSeed();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var sample = new Sample(seed);
        for (var round = 0; round < Rounds; round++)
        {
            var record = sample.Reject();
            var line = Line(record);
            Assert.True(LogLine.TryParse(LogKind.Reject, line, out var parsed), Encoding.UTF8.GetString(line));
            var reject = Assert.IsType<RejectRecord>(parsed);
            Assert.Equal(record.ConnectionContext!, reject.ConnectionContext!);
            Assert.Equal(record.MessageContext!, reject.MessageContext!);
            Assert.Equal(record with { ConnectionContext = null, MessageContext = null }, reject with { ConnectionContext = null, MessageContext = null });
        }
    }

    [Fact]
    public void The_JSON_form_is_one_line_that_says_the_same()
    {
        var seed = Sample.NewSeed();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var sample = new Sample(seed);
        for (var round = 0; round < Rounds; round++)
        {
            var record = sample.Failure();
            var line = Json(record);
            Assert.Equal(-1, line.AsSpan().IndexOf((byte)'\n'));
            using var json = JsonDocument.Parse(line);
            Assert.Equal("main", json.RootElement.GetProperty("log").GetString());
            Assert.Equal(record.Time, json.RootElement.GetProperty("time").GetInt64());
            Assert.Equal(record.Reply, json.RootElement.TryGetProperty("reply", out var reply) ? reply.GetString() : "");
            Assert.Equal(record.MessageId.ToString(), json.RootElement.TryGetProperty("messageId", out var id) ? id.GetString() : "");
            using var reject = JsonDocument.Parse(Json(sample.Reject()));
            Assert.Equal("reject", reject.RootElement.GetProperty("log").GetString());
        }
    }

    [Fact]
    public void Foreign_and_torn_lines_are_refused_without_an_exception()
    {
        var seed = Sample.NewSeed();
        output.WriteLine($"VEREDUS_SEED={seed}");
        var sample = new Sample(seed);
        var random = new Random(seed);
        for (var round = 0; round < Rounds; round++)
        {
            ILogRecord record = (round % 4) switch { 0 => sample.Reception(), 1 => sample.Bounce(), 2 => sample.Reject(), _ => sample.Authorization() };
            var line = Line(record);
            for (var flips = random.Next(1, 4); flips > 0; flips--)
                line[random.Next(line.Length)] = (byte)random.Next(256);
            foreach (var kind in Enum.GetValues<LogKind>())
                _ = LogLine.TryParse(kind, line.AsSpan(0, random.Next(line.Length + 1)), out _);
        }
        Assert.False(LogLine.TryParse(LogKind.Main, "1790000000@a@b@c@R@too@few"u8, out _));
        Assert.False(LogLine.TryParse(LogKind.Main, "now@@@@M"u8, out _));
        Assert.False(LogLine.TryParse(LogKind.Panic, "no time"u8, out _));
    }

    private static void ReadsBack<TRecord>(LogKind log, TRecord record) where TRecord : struct, ILogRecord
    {
        var line = Line(record);
        Assert.Equal(-1, line.AsSpan().IndexOfAnyInRange((byte)0, (byte)31));
        Assert.True(LogLine.TryParse(log, line, out var parsed), Encoding.UTF8.GetString(line));
        Assert.Equal(record, Assert.IsType<TRecord>(parsed));
    }

    private static byte[] Line(ILogRecord record)
    {
        var buffer = new LineBuffer();
        record.FormatLine(buffer);
        return buffer.Written.ToArray();
    }

    private static byte[] Json(ILogRecord record)
    {
        var buffer = new LineBuffer();
        record.FormatJson(buffer);
        return buffer.Written.ToArray();
    }
}
