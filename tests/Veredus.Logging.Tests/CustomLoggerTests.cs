using System.Net;
using Veredus.Configuration;
using Veredus.Journal;

namespace Veredus.Logging.Tests;

public sealed class CustomLoggerTests : IDisposable
{
    private const string Every = "%t|%us{3}|%t{%Y}|%i|%BI|%CI|%r|%R|%m|%M|%d|%b|%g|%B|%H|%p|%P|%PG|%n|%N|%s|%S|%c|%C|%T|%A|%U|%vctx_conn{auth_key}|%vctx_mess{campaign}";

    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-log-").FullName;
    private readonly ManualTime _time = new();
    private readonly MemoryTarget _stderr = new("stderr");

    public void Dispose()
    {
        _stderr.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public async Task A_hand_over_to_another_node_is_a_stage_of_its_own()
    {
        await using var logs = Custom(LogStage.Xfer, Every);
        logs.Write(Left(DeliveryKind.Delivered));
        logs.Write(Left(DeliveryKind.HandedOver));
        Assert.Equal("1790000000|1790000000.250|2026|10/00-00007-08B31BA6|20/00-00007-08B31BA6||ann\\@home|example.net|news|example.com|d.test|bulk-1|bulk|2412|203.0.113.25|ESMTPS|in|||2||||"
            + "|0.91|PLAIN|ops||spring\n", Read("Xfer"));
    }

    [Fact]
    public async Task Each_stage_gets_its_own_events_only()
    {
        var stages = Enum.GetValues<LogStage>();
        await using var logs = new MailLogs(_time, stderr: _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [], Stages = [.. stages.Select(stage => To(stage, $"{stage} %n %N %S"))] }], new(), out _));
        logs.Write(new ReceptionRecord
        {
            Time = 1, MessageId = default, BatchId = default, ConnectionId = default, RecipientLocalpart = "a", RecipientDomain = "b", SenderLocalpart = "", SenderDomain = "",
            Size = 1, Protocol = "xfer", BindingGroup = "default", Binding = "default",
        });
        logs.Write(Left(DeliveryKind.Delivered));
        logs.Write(Left(DeliveryKind.HandedOver));
        logs.Write(Failed(FailureKind.Transient));
        logs.Write(Failed(FailureKind.Permanent));
        logs.Write(new RejectRecord
        {
            Time = 1, Remote = null, Local = null, ConnectionId = default, Pathway = "in", PathwayGroup = "", State = "MAIL", Code = 550, Module = "relay", Text = "5.7.1 no",
        });
        logs.Flush();
        Assert.Equal(["Reception  0 ", "Delivery  3 ", "TransientFailure 451 later 3 5", "PermanentFailure 451 later 3 5", "Rejection 550 5.7.1 no  ", "Xfer  2 "],
            stages.Select(stage => File.ReadAllText(Path.Combine(_directory, stage.ToString())).TrimEnd('\n')));
    }

    [Fact]
    public async Task Values_are_escaped_so_that_a_line_stays_one_and_an_at_is_escaped_unless_told_not_to()
    {
        await using var logs = new MailLogs(_time, stderr: _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [], Stages = [To(LogStage.TransientFailure, "%n@%r"), To(LogStage.PermanentFailure, "%n@%r") with { IsSanitized = false }] }], new(), out _));
        var reply = "451 a@b\r\n\\ c";
        logs.Write(Failed(FailureKind.Transient) with { Reply = reply });
        logs.Write(Failed(FailureKind.Permanent) with { Reply = reply });
        logs.Flush();
        Assert.Equal("451 a\\@b\\x0D\\n\\\\ c@ann\\@home\n", Read("TransientFailure"));
        Assert.Equal("451 a@b\\x0D\\n\\\\ c@ann@home\n", Read("PermanentFailure"));
    }

    [Fact]
    public async Task Two_stages_of_two_loggers_share_a_journal()
    {
        var journal = $"cluster://{_directory}/campaign?subscribers=agg1";
        await using var logs = new MailLogs(_time, stderr: _stderr);
        LoggerSettings Logger(LogStage stage) => new() { Logs = [], Stages = [new(stage, Format($"{stage}"), journal)] };
        Assert.True(logs.TryConfigure([Logger(LogStage.Xfer), Logger(LogStage.Delivery)], new(), out var error), error);
        logs.Write(Left(DeliveryKind.HandedOver));
        logs.Write(Left(DeliveryKind.Delivered));
        logs.Flush();
        Assert.Equal(["agg1"], JournalBacklog.Read(Path.Combine(_directory, "campaign")).Select(entry => entry.Subscriber));
        Assert.Contains("Xfer\n", File.ReadAllText(Path.Combine(_directory, "campaign", "00000000")));
        Assert.Contains("Delivery\n", File.ReadAllText(Path.Combine(_directory, "campaign", "00000000")));
    }

    [Fact]
    public async Task A_reload_takes_a_stage_away_and_a_file_that_cannot_be_opened_changes_nothing()
    {
        await using var logs = Custom(LogStage.Xfer, "%i");
        Assert.False(logs.TryConfigure([new() { Logs = [], Stages = [new(LogStage.Xfer, Format("%i"), Path.Combine(_directory, "no", "such", "directory"))] }], new(), out _));
        logs.Write(Left(DeliveryKind.HandedOver));
        Assert.True(logs.TryConfigure([], new(), out _));
        logs.Write(Left(DeliveryKind.HandedOver));
        Assert.Equal("10/00-00007-08B31BA6\n", Read("Xfer"));
    }

    private MailLogs Custom(LogStage stage, string format)
    {
        var logs = new MailLogs(_time, stderr: _stderr);
        Assert.True(logs.TryConfigure([new() { Logs = [], Stages = [To(stage, format)] }], new(), out _));
        return logs;
    }

    private StageLog To(LogStage stage, string format) => new(stage, Format(format), Path.Combine(_directory, stage.ToString()));

    private string Read(string name)
    {
        _time.Advance(TimeSpan.FromSeconds(1));
        return File.ReadAllText(Path.Combine(_directory, name));
    }

    private static LogFormat Format(string text) => LogFormat.TryParse(text, out var format, out var error) ? format : throw new ArgumentException(error, nameof(text));

    private static MailFacts Facts => new()
    {
        At = DateTimeOffset.FromUnixTimeMilliseconds(1790000000_250), Sender = "news@example.com", Recipient = "ann@home@example.net", Protocol = "ESMTPS", Size = 2412,
        ConnectionContext = new Dictionary<string, string> { ["pathway"] = "in", ["auth_name"] = "PLAIN", ["auth_user"] = "ops", ["auth_key"] = "hidden" },
        MessageContext = new Dictionary<string, string> { ["campaign"] = "spring" },
    };

    private static DeliveryRecord Left(DeliveryKind kind) => new()
    {
        Time = 1790000000, MessageId = LogId.From("10/00-00007-08B31BA6"), BatchId = LogId.From("20/00-00007-08B31BA6"), ConnectionId = default, Kind = kind, Domain = "d.test",
        Size = 9, BindingGroup = "bulk", Binding = "bulk-1", Retries = 2, SinceReception = TimeSpan.FromSeconds(0.912), RemoteAddress = IPAddress.Parse("203.0.113.25"), Facts = Facts,
    };

    private static FailureRecord Failed(FailureKind kind) => new()
    {
        Time = 1790000000, MessageId = default, BatchId = default, ConnectionId = default, Kind = kind, Domain = "d.test", BytesSent = 0, BindingGroup = "bulk", Binding = "bulk-1",
        Stage = DeliveryStage.AfterRcptTo, Retries = 2, SinceReception = TimeSpan.Zero, Reply = "451 later", Facts = Facts with { Recipient = "ann@home@example.net" },
    };
}
