using System.Text;
using Veredus.Delivery.Bounces;
using Veredus.Smtp;
using Veredus.Spool;
using DsnNotify = Veredus.Spool.DsnNotify;
using DsnReturn = Veredus.Spool.DsnReturn;

namespace Veredus.Delivery.Tests.Bounces;

public sealed class BounceTests
{
    private static readonly DateTimeOffset Time = new(2026, 9, 21, 14, 13, 20, TimeSpan.Zero);
    private static readonly SmtpReply NoUser = SmtpReply.FromText(550, new(5, 1, 1), "no such user");

    private static readonly Envelope Failed = new()
    {
        Id = new(1790000000, 7, 1), BatchId = new(1790000000, 7, 1), Received = Time.AddHours(-1), Protocol = "ESMTP",
        Sender = "ann@example.org", Recipient = "bob@example.net", BindingGroup = "default", Binding = "default",
    };

    [Fact]
    public void A_report_has_the_three_parts_of_RFC_3464()
    {
        var text = Write(Report() with { RemoteName = "mx.example.net" });

        Assert.StartsWith("From: Mail Delivery System <mailer-daemon@node.example.org>\r\nTo: <ann@example.org>\r\n", text);
        Assert.Contains("Auto-Submitted: auto-replied\r\n", text);
        Assert.Contains("Content-Type: multipart/report; report-type=delivery-status;\r\n", text);
        Assert.Contains("Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n", text);
        Assert.Contains("Reporting-MTA: dns; node.example.org\r\nArrival-Date: Mon, 21 Sep 2026 13:13:20 +0000\r\n\r\n", text);
        Assert.Contains("Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n", text);
        Assert.Contains("Content-Type: text/rfc822-headers\r\n\r\nSubject: hi\r\nX: y\r\n\r\n--", text);
        Assert.DoesNotContain("secret body", text);
        var boundary = text[(text.IndexOf("boundary=\"", StringComparison.Ordinal) + 10)..].Split('"')[0];
        Assert.Equal(4, text.Split($"\r\n--{boundary}").Length - 1);
        Assert.EndsWith($"--{boundary}--\r\n", text);
    }

    [Fact]
    public void Identifiers_of_the_sender_come_back_decoded()
    {
        var text = Write(Report() with { Failed = Failed with { EnvelopeId = "QQ+2B1", OriginalRecipient = "rfc822;bobby+2Bx@example.com" } });

        Assert.Contains("Original-Envelope-Id: QQ+1\r\n", text);
        Assert.Contains("Original-Recipient: rfc822; bobby+x@example.com\r\n", text);
    }

    [Fact]
    public void When_time_ran_out_the_last_remote_reply_is_the_diagnosis()
    {
        var text = Write(Report() with { Reply = DeliveryReplies.MaxTime, Cause = SmtpReply.FromText(451, new(4, 7, 1), "greylisted"), RemoteName = "mx.example.net" });

        Assert.Contains("Status: 5.4.7\r\nRemote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 451 4.7.1 greylisted\r\n", text);
        Assert.Contains("554 5.4.7 [internal] exceeded max time without delivery", text);
    }

    [Fact]
    public void A_whole_original_is_attached_only_when_it_is_whole()
    {
        var original = Encoding.ASCII.GetBytes("Subject: hi\r\n\r\nbody\r\n");
        var whole = Report() with { Include = OriginalInDsn.All, Original = original, OriginalSize = original.Length };

        Assert.Contains("Content-Type: message/rfc822\r\n\r\nSubject: hi\r\n\r\nbody\r\n", Write(whole));
        var cut = Write(whole with { OriginalSize = 1_000_000 });
        Assert.Contains("Content-Type: text/rfc822-headers", cut);
        Assert.DoesNotContain("body\r\n\r\n--", cut);
    }

    [Fact]
    public void Hostile_text_stays_in_its_line()
    {
        var text = Write(Report() with
        {
            RemoteName = "evil\r\nBcc: x@y",
            Failed = Failed with { Recipient = "b\r\nStatus: 2.0.0\r\n@example.net" },
        });

        Assert.DoesNotContain("\r\nBcc:", text);
        Assert.DoesNotContain("\r\nStatus: 2.0.0", text);
        Assert.DoesNotContain('\n', text.Replace("\r\n", ""));
    }

    [Fact]
    public void An_address_beyond_ASCII_is_written_as_RFC_6533_says() =>
        Assert.Contains("Final-Recipient: utf-8; b\\x{F6}b@example.net\r\n", Write(Report() with { Failed = Failed with { Recipient = "böb@example.net" } }));

    [Theory]
    [InlineData(DsnNotify.Unspecified, true)]
    [InlineData(DsnNotify.Failure, true)]
    [InlineData(DsnNotify.Failure | DsnNotify.Delay, true)]
    [InlineData(DsnNotify.Never, false)]
    [InlineData(DsnNotify.Success, false)]
    [InlineData(DsnNotify.Delay, false)]
    public void NOTIFY_decides_who_hears_of_a_failure(DsnNotify notify, bool reported) =>
        Assert.Equal(reported ? "ann@example.org" : null, DsnRules.Recipient(Failed with { Notify = notify }, SendingPolicy.Default));

    [Fact]
    public void A_failed_report_goes_to_the_operator_or_nowhere_and_never_round()
    {
        var bounce = Failed with { Sender = "" };
        var policy = SendingPolicy.Default with { DoubleBounceTo = "ops@example.org" };

        Assert.Null(DsnRules.Recipient(bounce, SendingPolicy.Default));
        Assert.Equal("ops@example.org", DsnRules.Recipient(bounce, policy));
        Assert.Null(DsnRules.Recipient(bounce with { Recipient = "Ops@example.org" }, policy));
        Assert.Null(DsnRules.Recipient(Failed, policy with { GenerateBounces = false }));
    }

    [Theory]
    [InlineData(OriginalInDsn.All, DsnReturn.Headers, OriginalInDsn.Headers)]
    [InlineData(OriginalInDsn.All, DsnReturn.Full, OriginalInDsn.All)]
    [InlineData(OriginalInDsn.Headers, DsnReturn.Full, OriginalInDsn.Headers)]
    [InlineData(OriginalInDsn.None, DsnReturn.Full, OriginalInDsn.None)]
    public void RET_can_only_ask_for_less(OriginalInDsn option, DsnReturn asked, OriginalInDsn expected) => Assert.Equal(expected, DsnRules.Include(option, asked));

    [Theory]
    [InlineData(550, "5.1.1", 10)]
    [InlineData(452, "4.2.2", 22)]
    [InlineData(552, "5.3.4", 23)]
    [InlineData(554, "5.4.7", 24)]
    [InlineData(554, "5.4.4", 21)]
    [InlineData(454, "4.4.4", 21)]
    [InlineData(550, "5.7.1", 50)]
    [InlineData(451, "4.7.1", 70)]
    [InlineData(550, "", 40)]
    public void Without_rules_the_status_classifies(int code, string status, int expected)
    {
        var parts = status.Length == 0 ? default : new EnhancedStatus((byte)(status[0] - '0'), (ushort)(status[2] - '0'), (ushort)(status[4] - '0'));
        Assert.Equal(expected, BounceClassifier.Default.Classify(SmtpReply.FromText(code, parts, "text"), "example.net"));
    }

    [Fact]
    public void Rules_come_first_and_the_first_match_wins()
    {
        var classifier = BounceClassifier.Parse("# ours\n51\tblocklist\n52\tspam\t*.example.net\n7\tspam\n", out var errors);

        Assert.Empty(errors);
        Assert.Equal(51, Classify("Blocklisted for spam", "example.com"));
        Assert.Equal(52, Classify("looks like SPAM", "mail.example.net"));
        Assert.Equal(7, Classify("looks like spam", "example.com"));

        int Classify(string text, string domain) => classifier.Classify(SmtpReply.FromText(550, default, text), domain);
    }

    [Fact]
    public void A_bad_rule_is_named_with_its_line()
    {
        BounceClassifier.Parse("10\tok\n101\tx\n20\t(\n", out var errors);

        Assert.Equal(2, errors.Length);
        Assert.StartsWith("line 2: expected 'code TAB regex", errors[0]);
        Assert.StartsWith("line 3: regular expression '('", errors[1]);
    }

    private static FailureReport Report()
    {
        var original = Encoding.ASCII.GetBytes("Subject: hi\r\nX: y\r\n\r\nsecret body\r\n");
        return new("node.example.org", "mailer-daemon@node.example.org", "ann@example.org", Failed, Time)
        {
            Reply = NoUser, Include = OriginalInDsn.Headers, Original = original, OriginalSize = original.Length,
        };
    }

    private static string Write(FailureReport report) => Encoding.UTF8.GetString(DsnWriter.Write(report));
}
