using System.Buffers;
using System.Text;
using Veredus.Reception.Content;
using Xunit.Abstractions;

namespace Veredus.Reception.Tests.Content;

public sealed class ContentFilterTests(ITestOutputHelper log)
{
    private const string Plain = "From: a@example.com\r\nDate: now\r\nMessage-ID: <1@x>\r\n\r\nHello\r\n";

    [Fact]
    public void The_received_line_has_the_documented_form()
    {
        var result = Filtered.Run(new(), Plain);

        Assert.Equal(ContentFault.None, result.Fault);
        Assert.Equal(
            "Received: from [203.0.113.9] ([203.0.113.9:41220] helo=app.example.com)\r\n" +
            "        by mx1.example.org (envelope-from <news@example.com>)\r\n" +
            "        (veredus 1.0) with ESMTPSA id 10/00-00007-08B31BA6; Mon, 21 Sep 2026 14:13:20 +0000\r\n" + Plain,
            result.Text);
    }

    [Fact]
    public void What_a_client_says_about_itself_cannot_end_the_comment_it_stands_in()
    {
        var output = new ArrayBufferWriter<byte>();
        TraceHeaders.WriteReceived(Filtered.Trace with { Helo = "x) by evil (\\", Sender = "\"a)b\"@example.com" }, output);
        var line = Encoding.UTF8.GetString(output.WrittenSpan);

        Assert.Contains("helo=x\\) by evil \\(\\\\)\r\n", line, StringComparison.Ordinal);
        Assert.Contains("<\"a\\)b\"@example.com>", line, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_date_and_message_id_are_added_at_the_end_of_the_headers()
    {
        var result = Filtered.Run(new() { TraceHeaders = false }, "From: a@example.com\r\n\r\nHello\r\n");

        Assert.Equal("From: a@example.com\r\nDate: Mon, 21 Sep 2026 14:13:20 +0000\r\nMessage-ID: <10.00.00007.08B31BA6@mx1.example.org>\r\n\r\nHello\r\n", result.Text);
        Assert.True(result.Facts.DateMissing);
    }

    [Fact]
    public void Every_instance_of_the_binding_header_and_of_return_path_goes()
    {
        var rules = new ContentRules { RemovedHeader = "X-Binding", Date = MissingDate.Ignore, AddMessageId = false };
        var result = Filtered.Run(rules, "Return-Path: <x@y>\r\nFrom: a\r\nx-BINDING: bulk-1\r\n\t(note)\r\nTo: b\r\nX-Binding: other\r\n\r\nX-Binding: in the body\r\n");

        Assert.EndsWith("+0000\r\nFrom: a\r\nTo: b\r\n\r\nX-Binding: in the body\r\n", result.Text, StringComparison.Ordinal);
        Assert.Equal("bulk-1\t(note)", result.Facts.Header("x-binding"));
    }

    [Fact]
    public void Wanted_headers_are_kept_unfolded()
    {
        var result = Filtered.Run(Filtered.NoTrace with { WantedHeaders = ["Subject", "X-Job"] }, "Subject: one\r\n two\r\nSubject: second\r\nDate: x\r\n\r\nX-Job: no\r\n");

        Assert.Equal("one two", result.Facts.Header("subject"));
        Assert.Null(result.Facts.Header("X-Job"));
    }

    [Theory]
    [InlineData("Hello without headers\r\n")]
    [InlineData("\r\nHello\r\n")]
    [InlineData("")]
    [InlineData("From user@example.com Mon Sep 21 14:13:20 2026\r\nSubject: mbox\r\n\r\n")]
    [InlineData(" Subject: folded from nothing\r\n\r\n")]
    public void A_message_without_headers_is_refused_unless_allowed(string message)
    {
        Assert.Equal(ContentFault.NoHeaders, Filtered.Run(new(), message).Fault);
        var allowed = Filtered.Run(Filtered.NoTrace with { RequireHeaders = false }, message);
        Assert.Equal(ContentFault.None, allowed.Fault);
        Assert.Equal(message.StartsWith("\r\n", StringComparison.Ordinal) ? message : "\r\n" + message, allowed.Text);
    }

    [Fact]
    public void A_body_that_follows_without_an_empty_line_gets_one()
    {
        Assert.Equal("Subject: x\r\n\r\nthis is no header\r\nTo: b\r\n", Filtered.Run(Filtered.NoTrace, "Subject: x\r\nthis is no header\r\nTo: b\r\n").Text);
    }

    [Theory]
    [InlineData("Subject: a\nTo: b\r\n\r\nbody\r\n")]
    [InlineData("Subject: a\rTo: b\r\n\r\nbody\r\n")]
    [InlineData("Subject: a\r\nTo: b\r\n\nbody\r\n")]
    public void Lone_line_breaks_in_headers_are_repaired(string message)
    {
        Assert.Equal("Subject: a\r\nTo: b\r\n\r\nbody\r\n", Filtered.Run(Filtered.NoTrace, message).Text);
    }

    [Fact]
    public void Lone_line_breaks_in_the_body_are_left_or_repaired()
    {
        const string Message = "Subject: a\r\n\r\none\ntwo\rthree\r\n\n.\n\r";
        Assert.Equal(Message, Filtered.Run(Filtered.NoTrace, Message).Text);
        Assert.Equal("Subject: a\r\n\r\none\r\ntwo\r\nthree\r\n\r\n.\r\n\r\n", Filtered.Run(Filtered.NoTrace with { FixLineEndsInBody = true }, Message).Text);
    }

    [Fact]
    public void Long_lines_are_left_alone_or_broken()
    {
        const string Message = "Subject: one two three four five\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n0123456789012345678901234567890\r\n01234567890123456789\r\n";

        Assert.Equal(Message, Filtered.Run(Filtered.NoTrace, Message).Text);
        var text = Filtered.Run(Filtered.NoTrace with { BreakLinesAt = 20 }, Message).Text;
        Assert.All(text.Split("\r\n"), line => Assert.InRange(line.Length, 0, 20));
        Assert.Equal(Message.Replace("\r\n", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal), text.Replace("\r\n", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal));
        Assert.StartsWith("Subject: one two\r\n three four five\r\n", text, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n01234567890123456789\r\n01234567890\r\n01234567890123456789\r\n", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, ContentFault.None)]
    [InlineData(4, ContentFault.Loop)]
    public void More_received_headers_than_allowed_are_a_loop(int count, ContentFault expected)
    {
        var message = string.Concat(Enumerable.Repeat("Received: by x\r\n", count)) + "Date: x\r\n\r\n";

        Assert.Equal(expected, Filtered.Run(new() { MaxReceivedHeaders = 3 }, message).Fault);
        var counted = Filtered.Run(new() { MaxReceivedHeaders = 3, RefuseLoops = false }, message);
        Assert.Equal((ContentFault.None, count), (counted.Fault, counted.Facts.ReceivedHeaders));
    }

    [Fact]
    public void A_message_without_date_is_refused_when_the_rule_is_pedantic()
    {
        Assert.Equal(ContentFault.NoDate, Filtered.Run(new() { Date = MissingDate.Reject }, "Subject: x\r\n\r\n").Fault);
    }

    [Fact]
    public void Headers_have_a_limit_that_holds_however_they_arrive()
    {
        var header = "X-Filler: " + new string('x', 60) + "\r\n";
        var large = string.Concat(Enumerable.Repeat(header, ContentFilter.MaxHeaderBytes / header.Length + 1)) + "\r\nbody\r\n";

        Assert.Equal(ContentFault.HeadersTooLarge, Filtered.Run(new(), large).Fault);
        Assert.Equal(ContentFault.HeadersTooLarge, Filtered.Run(new(), large, () => 1000).Fault);
        Assert.Equal(ContentFault.HeadersTooLarge, Filtered.Run(new(), "X: " + new string('x', 2 * ContentFilter.MaxHeaderBytes), () => 4000).Fault);
    }

    [Fact]
    public void A_message_comes_out_the_same_however_the_network_cuts_it()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), out var given) ? given : Random.Shared.Next();
        log.WriteLine($"VEREDUS_SEED={seed}");
        var random = new Random(seed);
        string[] parts = ["Subject: a", "Received: b", "X-Binding: c", ":", "\r\n", "\r\n", "\r\n", "\r", "\n", " ", "\t", "body text that is long", "."];
        for (var round = 0; round < 4000; round++)
        {
            var message = string.Concat(Enumerable.Range(0, random.Next(16)).Select(_ => parts[random.Next(parts.Length)]));
            var rules = new ContentRules
            {
                RequireHeaders = random.Next(2) == 0,
                TraceHeaders = random.Next(2) == 0,
                RemovedHeader = "X-Binding",
                BreakLinesAt = random.Next(2) == 0 ? 12 : 0,
                FixLineEndsInBody = random.Next(2) == 0,
            };
            var whole = Filtered.Run(rules, message);
            var cut = Filtered.Run(rules, message, () => random.Next(1, 5));

            Assert.Equal(whole.Fault, cut.Fault);
            if (whole.Fault == ContentFault.None)
                Assert.Equal(whole.Text, cut.Text);
        }
    }
}
