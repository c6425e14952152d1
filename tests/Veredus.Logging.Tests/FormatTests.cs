using System.Net;

namespace Veredus.Logging.Tests;

/// <summary>The lines of the manual, character for character.</summary>
public sealed class FormatTests
{
    private static readonly LogId Batch = LogId.From("10/00-00007-08B31BA6");

    [Fact]
    public void A_reception_line_is_as_documented() => Assert.Equal(
        "1790000000@10/00-00007-08B31BA6@10/00-00007-08B31BA6@00/00-00007-08B31BA6@R@ann@example.net@news@example.com@192.0.2.7@2412@esmtp@bulk@bulk-1",
        Line(new ReceptionRecord
        {
            Time = 1790000000, MessageId = Batch, BatchId = Batch, ConnectionId = LogId.From("00/00-00007-08B31BA6"),
            RecipientLocalpart = "ann", RecipientDomain = "example.net", SenderLocalpart = "news", SenderDomain = "example.com",
            ClientAddress = IPAddress.Parse("::ffff:192.0.2.7"), Size = 2412, Protocol = "esmtp", BindingGroup = "bulk", Binding = "bulk-1",
        }));

    [Fact]
    public void A_delivery_line_is_as_documented() => Assert.Equal(
        "1790000001@10/00-00007-08B31BA6@10/00-00007-08B31BA6@00/00-00007-08B31BA6@D@example.net@2731@bulk@bulk-1@0@0.912@203.0.113.25",
        Line(new DeliveryRecord
        {
            Time = 1790000001, MessageId = Batch, BatchId = Batch, ConnectionId = LogId.From("00/00-00007-08B31BA6"), Kind = DeliveryKind.Delivered,
            Domain = "example.net", Size = 2731, BindingGroup = "bulk", Binding = "bulk-1", Retries = 0,
            SinceReception = TimeSpan.FromMilliseconds(912), RemoteAddress = IPAddress.Parse("203.0.113.25"),
        }));

    [Fact]
    public void A_failure_line_is_as_documented() => Assert.Equal(
        "1790000042@20/00-00007-08B31BA6@10/00-00007-08B31BA6@00/00-00007-08B31BA6@T@example.org@57@bulk@bulk-1@5@0@41.7@203.0.113.80@451 4.7.1 greylisted, retry in 300s",
        Line(new FailureRecord
        {
            Time = 1790000042, MessageId = LogId.From("20/00-00007-08B31BA6"), BatchId = Batch, ConnectionId = LogId.From("00/00-00007-08B31BA6"),
            Kind = FailureKind.Transient, Domain = "example.org", BytesSent = 57, BindingGroup = "bulk", Binding = "bulk-1", Stage = DeliveryStage.AfterRcptTo,
            Retries = 0, SinceReception = TimeSpan.FromSeconds(41.7), RemoteAddress = IPAddress.Parse("203.0.113.80"), Reply = "451 4.7.1 greylisted, retry in 300s",
        }));

    [Theory]
    [InlineData(LogKind.Main, "1790000060@@@@M")]
    [InlineData(LogKind.Bounce, "1790000060@@@@M1")]
    [InlineData(LogKind.Reject, "1790000060: Marker 1")]
    public void Each_log_has_its_own_heartbeat(LogKind log, string line) => Assert.Equal(line, Line(new HeartbeatRecord(log, 1790000060)));

    [Fact]
    public void The_account_lines_are_as_documented()
    {
        var peer = IPEndPoint.Parse("192.0.2.40:51514");
        Assert.Equal("1790000100@N@*:2025@192.0.2.40:51514@ops@1",
            Line(new AuthenticationRecord { Time = 1790000100, Endpoint = "*:2025", Peer = peer, User = "ops", Result = AccountResult.Allowed }));
        Assert.Equal("1790000103@Z@*:2025@192.0.2.40:51514@ops@0@shutdown",
            Line(new AuthorizationRecord { Time = 1790000103, Endpoint = "*:2025", Peer = peer, User = "ops", Result = AccountResult.Refused, Command = "shutdown" }));
    }

    [Fact]
    public void A_rejection_keeps_its_positions_and_never_shows_a_secret() => Assert.Equal(
        "1790000200: R=\"[2001:db8::7]:41220\" L=\"192.0.2.1:25\" C=\"00/00-00007-08B31BA6\" PATH=\"default\" PATH_GRP=\"default\" P=\"awaiting rcptto\" "
        + "E=550 M=relay CTXCONN=[ehlo_string=app.example.com,auth_user=ann,note=\"a b\"] CTXMESS=[] 5.7.1 relaying denied",
        Line(new RejectRecord
        {
            Time = 1790000200, Remote = IPEndPoint.Parse("[2001:db8::7]:41220"), Local = IPEndPoint.Parse("192.0.2.1:25"),
            ConnectionId = LogId.From("00/00-00007-08B31BA6"), Pathway = "default", PathwayGroup = "default", State = "awaiting rcptto", Code = 550, Module = "relay",
            ConnectionContext = new Dictionary<string, string>
            {
                ["ehlo_string"] = "app.example.com", ["auth_user"] = "ann", ["auth_password"] = "hunter2", ["note"] = "a b",
            },
            Text = "5.7.1 relaying denied",
        }));

    [Fact]
    public void Context_values_are_cut_at_256_octets_between_characters()
    {
        var line = Line(new RejectRecord
        {
            Time = 1, Remote = null, Local = null, ConnectionId = default, Pathway = "", PathwayGroup = "", State = "", Code = 550, Module = "core",
            ConnectionContext = new Dictionary<string, string> { ["k"] = "a" + new string('ä', 200) }, Text = "",
        });
        Assert.Contains($"[k=a{new string('ä', 127)}]", line);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.393, "0.393")]
    [InlineData(18.53, "18.53")]
    [InlineData(172800, "172800")]
    [InlineData(1234567, "1234567")]
    [InlineData(123.45678, "123.457")]
    [InlineData(99999.96, "100000")]
    [InlineData(9.9999999, "10")]
    [InlineData(0.0000001, "0.0000001")]
    [InlineData(0.05, "0.05")]
    [InlineData(-1.5, "-1.5")]
    public void Seconds_have_six_significant_digits_and_no_trailing_zeros(double seconds, string text)
    {
        var buffer = new LineBuffer();
        buffer.AppendSeconds(TimeSpan.FromTicks((long)Math.Round(seconds * TimeSpan.TicksPerSecond)));
        Assert.Equal(text, buffer.ToString());
    }

    [Fact]
    public void An_own_DSN_has_an_empty_sender_and_an_HTTP_injection_an_unknown_client()
    {
        var record = new ReceptionRecord
        {
            Time = 1, MessageId = Batch, BatchId = Batch, ConnectionId = default, RecipientLocalpart = "a", RecipientDomain = "b",
            SenderLocalpart = "", SenderDomain = "", Size = 1, Protocol = "rest", BindingGroup = "g", Binding = "h",
        };
        Assert.EndsWith("@@R@a@b@@@unknown@1@rest@g@h", Line(record));
        Assert.EndsWith("@@R@a@b@@@@1@internal@g@h", Line(record with { Protocol = "internal" }));
    }

    [Theory]
    [InlineData("451 [too many] x", "451 [too many] x")]
    [InlineData("\u001b]0;title\u0007", "\\x1B]0;title\\x07")]
    [InlineData("a\rb\u202Ec\u009b1m", "a\\x0Db\\u{202E}c\\u{009B}1m")]
    [InlineData("tab\tand\nnewline ä 漢", "tab\tand\nnewline ä 漢")]
    public void Hostile_text_is_shown_not_obeyed(string text, string shown) => Assert.Equal(shown, SafeText.Visible(text));

    [Fact]
    public void Stages_have_the_names_operators_know()
    {
        Assert.Equal("reading confirmation", DeliveryStage.ReadingConfirmation.Name());
        Assert.Equal("out of band bounce", DeliveryStage.OutOfBandBounce.Name());
        Assert.Equal("in unknown state", ((DeliveryStage)99).Name());
    }

    private static string Line(ILogRecord record)
    {
        var buffer = new LineBuffer();
        record.FormatLine(buffer);
        return buffer.ToString();
    }
}
