using Xunit.Abstractions;

namespace Veredus.Configuration.Tests;

public class FuzzTests(ITestOutputHelper output)
{
    private static readonly string[] Pieces = ["{", "}", "(", ")", "[", "]", "=", "\"", "'", "#", "/*", "*/", ",", ";", "\n", "\\", "+=", "include \"x\"", "binding \"b\" {", "domain \"/x/\" {", "( 1 2", "[ a =", "\u201C", "\0", "\uFEFF", "9", "🙂", "\ud800"];

    private Random Seeded()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("VEREDUS_SEED"), out var given) ? given : Environment.TickCount;
        output.WriteLine($"VEREDUS_SEED={seed}");
        return new(seed);
    }

    [Fact]
    public void Any_text_gives_a_configuration_or_errors_with_places_inside_it()
    {
        var random = Seeded();
        var corpus = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Corpus"), "*.conf").Order().Select(File.ReadAllText).ToArray();
        for (var run = 0; run < 300; run++)
        {
            var text = Mutate(corpus[random.Next(corpus.Length)], corpus[random.Next(corpus.Length)], random);
            var result = ConfigurationSnapshot.Parse(text, "f");
            Assert.Equal(result.Success, !result.Errors.Any());
            var lines = text.Count(c => c == '\n') + 1;
            Assert.All(result.Diagnostics, d => Assert.True(d.Position.Line <= lines && d.Position.Column >= 0 && d.Message.Length > 0 && d.ToString().Length < 4000, d.ToString()));
            Assert.True(result.Diagnostics.Count <= 2 * 51);
            if (result.Snapshot is { } snapshot)
                Assert.Empty(OptionDifference.Between(snapshot.Root, ConfigurationSnapshot.FromText(Renderer.Recurse(snapshot.Root, mask: false)).Root));
        }
    }

    [Fact]
    public async Task Any_console_line_gets_an_answer()
    {
        var random = Seeded();
        string[] words = ["config", "get", "set", "unset", "show", "showrecurse", "eval", "locate", "begin", "commit", "rollback", "replay", "from", "scratch", "binding", "b", "domain", "example.com", "retry_interval", "=", "5", "(", ")", "[", "a", "\"", "listen", ":25", "esmtp_listener", "ec_logger", "write", "{", "'x'", "#"];
        using var store = new ConfigurationStore(ConfigurationSnapshot.FromText("esmtp_listener { listen \":25\" { } }"));
        var console = new ConfigConsole(store);
        for (var run = 0; run < 800; run++)
        {
            var line = "config " + string.Join(' ', random.GetItems(words, random.Next(1, 8)));
            var result = await console.ExecuteAsync(line);
            Assert.True(result.Code is 0 or 400 or 404 or 409 or 422, line);
            Assert.True(result.IsOk || result.Text.Length > 0, line);
        }
    }

    [Fact]
    public void A_quoted_text_reads_back_whatever_it_holds()
    {
        var random = Seeded();
        const string Alphabet = "ab \t\n\r\\\"'#={}[]()/*;,ü🙂";
        for (var run = 0; run < 2000; run++)
        {
            var text = new string(random.GetItems<char>(Alphabet, random.Next(0, 20)));
            var diagnostics = new DiagnosticBag();
            Assert.Equal(text, SyntaxParser.ParseValue(RawValue.Quote(text), "f", diagnostics)?.Text);
            var list = RawValue.List([text, "x", text]);
            Assert.Equal(list, SyntaxParser.ParseValue(list.ToString(), "f", diagnostics));
            var dictionary = RawValue.Dictionary([new("k" + text, RawValue.Scalar(text)), new("l", list)]);
            Assert.Equal(dictionary, SyntaxParser.ParseValue(dictionary.ToString(), "f", diagnostics));
        }
    }

    private static string Mutate(string text, string other, Random random)
    {
        for (var change = random.Next(1, 6); change > 0 && text.Length > 0; change--)
        {
            var at = random.Next(text.Length);
            var length = random.Next(0, Math.Min(60, text.Length - at));
            text = random.Next(5) switch
            {
                0 => text.Remove(at, length),
                1 => text.Insert(at, Pieces[random.Next(Pieces.Length)]),
                2 => text.Insert(at, text.Substring(at, length)),
                3 => string.Concat(text.AsSpan(0, at), other.AsSpan(random.Next(other.Length))),
                _ => string.Concat(text.AsSpan(0, at), ((char)random.Next(1, 0x2100)).ToString(), text.AsSpan(at + 1)),
            };
        }
        return text;
    }
}
