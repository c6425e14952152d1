using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Veredus.Smtp.Tests.Content;

public class DataScannerTests
{
    /// <summary>What the octets mean, said the slow way: one octet at a time over the whole input.</summary>
    private static (string Content, DataFacts Facts, long HeaderSize, long LongestLine, int Taken, bool Complete) Reference(string wire, bool dotStuffed)
    {
        var content = new StringBuilder();
        var facts = DataFacts.None;
        var (at, complete) = (0, false);
        var lineStart = true;
        while (at < wire.Length)
        {
            if (lineStart && dotStuffed && wire[at] == '.')
            {
                if (string.CompareOrdinal(wire, at, ".\r\n", 0, 3) == 0)
                {
                    (at, complete) = (at + 3, true);
                    break;
                }

                // A dot, or dot CR, at the very end is withheld: it may become the end.
                if (at + 1 == wire.Length || (at + 2 == wire.Length && wire[at + 1] == '\r'))
                {
                    at = wire.Length;
                    break;
                }

                at++;
            }

            content.Append(wire[at]);
            at++;
            lineStart = at >= 2 && wire[at - 1] == '\n' && wire[at - 2] == '\r';
        }

        var text = content.ToString();
        var headerEnd = -1;
        var (from, longest) = (0, 0);
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] != '\n')
                continue;
            var length = i - from - (i < text.Length && i > from && text[i - 1] == '\r' ? 1 : 0);
            if (headerEnd < 0 && length == 0 && i < text.Length)
                headerEnd = i + 1;
            longest = Math.Max(longest, length);
            from = i + 1;
        }

        for (var i = 0; i < text.Length; i++)
        {
            var inHeaders = headerEnd < 0 || i < headerEnd;
            if (text[i] == '\0')
                facts |= DataFacts.Nul;
            if (text[i] > 127)
                facts |= DataFacts.EightBit;
            if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
                facts |= inHeaders ? DataFacts.BareLfInHeaders : DataFacts.BareLfInBody;
            if (text[i] == '\r' && (i + 1 == text.Length || text[i + 1] != '\n'))
                facts |= inHeaders ? DataFacts.BareCrInHeaders : DataFacts.BareCrInBody;
            if (text[i] == '.' && (i == 0 || text[i - 1] is '\r' or '\n'))
                facts |= DataFacts.LeadingDot;
        }

        if (headerEnd >= 0)
            facts |= DataFacts.HeadersEnd;
        return (text, facts, headerEnd < 0 ? text.Length : headerEnd, longest, at, complete);
    }

    /// <summary>Is there a line with one dot, for somebody who takes CR, LF and CRLF for line ends, but for no strict reader?</summary>
    private static bool HasLoneDot(string text, bool crlfIsFine)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '.' || (i > 0 && text[i - 1] is not ('\r' or '\n')) || (i + 1 < text.Length && text[i + 1] is not ('\r' or '\n')))
                continue;
            var strictBefore = i == 0 || (i >= 2 && text[i - 1] == '\n' && text[i - 2] == '\r');
            var strictAfter = i + 1 == text.Length || (i + 2 < text.Length && text[i + 1] == '\r' && text[i + 2] == '\n');
            if (!(crlfIsFine && strictBefore && strictAfter) && i + 1 < text.Length)
                return true;
        }

        return false;
    }

    private sealed class Sink : IMessageSink
    {
        public StringBuilder Text { get; } = new();

        public void Write(ReadOnlySpan<byte> content) => Text.Append(Encoding.Latin1.GetString(content));

        public ValueTask<bool> FlushAsync(CancellationToken cancellationToken) => ValueTask.FromResult(true);
    }

    private static (string Content, DataResult Result, int Taken, bool Complete) Scan(string wire, bool dotStuffed, IEnumerable<int> cuts)
    {
        var octets = Encoding.Latin1.GetBytes(wire);
        var (sink, scanner, taken) = (new Sink(), new DataScanner(dotStuffed), 0);
        foreach (var cut in cuts.Append(octets.Length))
        {
            if (cut < taken || scanner.IsComplete)
                continue;
            taken += scanner.Scan(octets.AsSpan(taken, cut - taken), sink);
        }

        var complete = scanner.IsComplete;
        var result = scanner.Finish(sink);
        return (sink.Text.ToString(), result, taken, complete);
    }

    private static readonly string[] Pieces =
        ["\r\n", "\r\n.\r\n", ".", "\n", "\r", "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "..", "a", "Subject: x", "\0", "é", "\r\n\r\n", new string('x', 90)];

    private static Gen<string> Wires => Gen.Elements(Pieces).ArrayOf().Select(string.Concat);

    [Fact]
    public void The_scanner_agrees_with_a_slow_reader_wherever_the_input_is_cut() =>
        Prop.ForAll(Arb.From(Wires), Arb.From(Gen.Choose(0, 60).ArrayOf(6)), (wire, cuts) =>
        {
            foreach (var dotStuffed in (bool[])[true, false])
            {
                var expected = Reference(wire, dotStuffed);
                var whole = Scan(wire, dotStuffed, []);
                var cut = Scan(wire, dotStuffed, cuts.Order().Where(c => c <= wire.Length));
                Assert.Equal(whole, cut);
                Assert.Equal(expected.Content, whole.Content);
                Assert.Equal((expected.Taken, expected.Complete), (whole.Taken, whole.Complete));
                Assert.Equal(expected.Content.Length, whole.Result.Size);
                Assert.Equal((expected.HeaderSize, expected.LongestLine), (whole.Result.HeaderSize, whole.Result.LongestLine));
                const DataFacts Judged = DataFacts.LoneDot | DataFacts.NoFinalLineEnd | DataFacts.LeadingDot;
                Assert.Equal(expected.Facts & ~Judged, whole.Result.Facts & ~Judged);
                if ((expected.Facts & DataFacts.LeadingDot) != 0)
                    Assert.True((whole.Result.Facts & DataFacts.LeadingDot) != 0);
                // The guard sees a lone dot on the wire, and one that unstuffing makes.
                if (expected.Complete && (HasLoneDot(wire[..(expected.Taken - 3)] + "x", crlfIsFine: false) || HasLoneDot(expected.Content + "x", crlfIsFine: true)))
                    Assert.True((whole.Result.Facts & DataFacts.LoneDot) != 0, "guard");
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1500));

    public static TheoryData<string, bool> LoneDots => new()
    {
        { "a\n.\nb\r\n.\r\n", true }, { "a\r\n.\nb\r\n.\r\n", true }, { "a\n.\r\nb\r\n.\r\n", true }, { "a\r.\rb\r\n.\r\n", true },
        { "a\r.\r\nb\r\n.\r\n", true }, { "a\r\n.\rb\r\n.\r\n", true }, { "a\r.\nb\r\n.\r\n", true }, { "\n.\n\r\n.\r\n", true },
        { ".\nb\r\n.\r\n", true }, { "a\r\n..\nb\r\n.\r\n", true }, { "a\r\n..\rb\r\n.\r\n", true },
        { "a\r\n..\r\nb\r\n.\r\n", false }, { "a\n..\nb\r\n.\r\n", false }, { "a\n.b\n\r\n.\r\n", false }, { "a\r\n...\r\n.\r\n", false },
        { ".\r\n", false }, { "a\r\n.\r\n", false },
    };

    [Theory]
    [MemberData(nameof(LoneDots))]
    public void A_dot_that_only_a_lax_server_takes_for_the_end_is_found(string wire, bool found)
    {
        var scan = Scan(wire, dotStuffed: true, []);
        Assert.True(scan.Complete);
        Assert.Equal(wire.Length, scan.Taken);
        Assert.Equal(found, (scan.Result.Facts & DataFacts.LoneDot) != 0);
    }

    [Theory]
    [InlineData("a\n.", true)]     // sent on, a CRLF follows, and for a lax server that ends the message
    [InlineData("a\r\n.", false)]
    [InlineData("a\r\n.\r\nb\r\n", false)]
    [InlineData("a\r\n.\nb\r\n", true)]
    public void A_chunk_is_guarded_like_data(string wire, bool found)
    {
        var scan = Scan(wire, dotStuffed: false, []);
        Assert.Equal(wire, scan.Content);
        Assert.Equal(found, (scan.Result.Facts & DataFacts.LoneDot) != 0);
    }

    [Fact]
    public void Stuffing_then_scanning_gives_the_content_back() =>
        Prop.ForAll(Arb.From(Wires), Arb.From(Gen.Choose(0, 60).ArrayOf(4)), (text, cuts) =>
        {
            var content = Encoding.Latin1.GetBytes(text + "\r\n");
            var (stuffer, wire, last) = (new DotStuffer(), new StringBuilder(), 0);
            foreach (var cut in cuts.Order().Where(c => c <= content.Length).Append(content.Length))
            {
                var output = new byte[DotStuffer.MaxOutput(cut - last)];
                var length = stuffer.Stuff(content.AsSpan(last, cut - last), output);
                wire.Append(Encoding.Latin1.GetString(output.AsSpan(0, length)));
                last = cut;
            }

            var scan = Scan(wire + ".\r\n", dotStuffed: true, []);
            Assert.Equal(Encoding.Latin1.GetString(content), scan.Content);
            Assert.True(scan.Complete);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1500));
}
