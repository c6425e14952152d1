using System.Buffers;
using System.Text;
using System.Text.Json;
using Veredus.Spool;

namespace Veredus.Cli.Tests;

/// <summary>A spool read without its node: <c>message list --spool</c>, <c>ec_show</c>.</summary>
public sealed class SpoolListTests : IDisposable
{
    private const string First = "10/00-00007-08B31BA6", Second = "20/00-00007-08B31BA6", Third = "30/00-00007-08B31BA6";
    private readonly string _directory = Directory.CreateTempSubdirectory("veredus-list-").FullName;

    private string Spool => Path.Combine(_directory, "spool");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task It_lists_counts_and_chooses_by_sender_recipient_and_date()
    {
        await using var node = new FakeNodeProcess();
        await FillAsync();
        var all = await node.RunAsync("message", "list", "--spool", Spool);
        Assert.Equal((0, ""), (all.ExitCode, all.Error));
        Assert.Matches(@"^ID +BINDING +AGE +RETRIES +NEXT +SIZE +SENDER +RECIPIENT\n10/00-00007-08B31BA6  default +\d+d\d+h +0  due +\d+  <news@example\.com>  <ann@example\.net>\n", all.Out);
        Assert.Equal(4, all.Out.TrimEnd().Split('\n').Length);
        Assert.Equal("3\n", (await node.RunAsync("message", "list", "--spool", Spool, "-n")).Out);
        Assert.Equal("{\"count\":3}", Data(await node.RunAsync("message", "list", "--spool", Spool, "-n", "--json")));
        Assert.Equal($"{Second}\n", await NamesAsync(node, "--sender", "^bill@"));
        Assert.Equal($"{First}\n{Third}\n", await NamesAsync(node, "--recipient", "example.NET$"));
        Assert.Equal($"{Second}\n{Third}\n", await NamesAsync(node, "--start-date", "2026-09-22"));
        Assert.Equal($"{First}\n{Second}\n", await NamesAsync(node, "--end_date", "2026-09-22"));
        Assert.Equal($"{Second}\n", await NamesAsync(node, "--start_date", "2026-09-22T00:00:00Z", "--end_date", "1790121600"));
        Assert.Equal($"{Third}\n", await NamesAsync(node, "--binding", "bulk-1"));
        Assert.Equal("no such message in the spool\n", (await node.RunAsync("message", "list", "--spool", Spool, "--sender", "nobody")).Out);
        Assert.Contains("1 of 3 shown; --all for the rest", (await node.RunAsync("message", "list", "--spool", Spool, "--limit", "1")).Out);
    }

    [Fact]
    public async Task The_classic_name_takes_the_spool_of_the_configuration_while_its_node_holds_it()
    {
        await using var node = new FakeNodeProcess();
        await FillAsync();
        await using var held = await OpenAsync();
        var file = Path.Combine(_directory, "veredus.conf");
        await File.WriteAllTextAsync(file, $"spoolbase = \"{Spool}\"\nretry_interval = 3600\n");
        var classic = new CallSettings { CalledAs = "ec_show" };
        Assert.Equal("3\n", (await node.RunAsync(classic, "-c", file, "-n")).Out);
        Assert.Equal(4, (await node.RunAsync(classic, "-s", "-c", file)).Out.TrimEnd().Split('\n').Length);
        using var json = JsonDocument.Parse((await node.RunAsync(classic, "-s", "-c", file, "--json")).Out);
        Assert.Equal("veredus.message.spool/1", json.RootElement.GetProperty("schema").GetString());
        var data = json.RootElement.GetProperty("data");
        Assert.Equal((3, 0), (data.GetProperty("total").GetInt32(), data.GetProperty("damaged").GetInt32()));
        var tried = data.GetProperty("items")[2];
        Assert.Equal(
            ["id", "created", "group", "binding", "domain", "sender", "recipient", "size", "retries", "nextAttempt"], tried.EnumerateObject().Select(field => field.Name));
        Assert.Equal((Third, 1), (tried.GetProperty("id").GetString(), tried.GetProperty("retries").GetInt32()));
        // An hour after the last try, as configured, give or take 5 %.
        Assert.InRange((tried.GetProperty("nextAttempt").GetDateTimeOffset() - Tried).TotalSeconds, 3400, 3800);
    }

    [Fact]
    public async Task One_message_is_shown_with_its_text_and_harms_no_terminal()
    {
        await using var node = new FakeNodeProcess();
        await FillAsync();
        var shown = await node.RunAsync(new CallSettings { CalledAs = "ec_show", IsOutTerminal = true }, Spool, "-m", Third, "--color", "never");
        Assert.Equal(0, shown.ExitCode);
        Assert.Contains("      Sender: <news@example.com>\n", shown.Out);
        Assert.Contains("        Code: 451\n", shown.Out);
        Assert.Contains(@"Subject: \x1B[2Jthird", shown.Out);
        Assert.DoesNotContain('\u001b', shown.Out);
        using var json = JsonDocument.Parse((await node.RunAsync("message", "list", "--spool", Spool, "-m", Third, "--json")).Out);
        Assert.Equal("Subject: \u001b[2Jthird\r\n\r\ntext\r\n", json.RootElement.GetProperty("data").GetProperty("body").GetString());
        Assert.Equal(3, (await node.RunAsync("message", "list", "--spool", Spool, "-m", "40/00-00007-08B31BA6")).ExitCode);
        Assert.Equal(2, (await node.RunAsync("message", "list", "--spool", Spool, "-m", "forty")).ExitCode);
    }

    [Fact]
    public async Task Wrong_words_and_what_is_no_spool_are_refused_with_what_to_do()
    {
        await using var node = new FakeNodeProcess();
        Assert.Contains("is no Veredus spool", await FailAsync(1, "--spool", _directory));
        Assert.Contains("--sender reads a spool from the disk", await FailAsync(2, "--sender", "x"));
        Assert.Contains("There is no configuration", await FailAsync(2, "--spool", "-c", Path.Combine(_directory, "none.conf")));
        await FillAsync();
        Assert.Contains("--recipient: ", await FailAsync(2, "--spool", Spool, "--recipient", "("));
        Assert.Contains("'yesterday' is not a date", await FailAsync(2, "--spool", Spool, "--start-date", "yesterday"));

        async Task<string> FailAsync(int code, params string[] arguments)
        {
            var outcome = await node.RunAsync(["message", "list", .. arguments]);
            Assert.Equal((code, ""), (outcome.ExitCode, outcome.Out));
            return outcome.Error;
        }
    }

    [Fact]
    public async Task Damage_is_told_and_the_rest_is_listed()
    {
        await using var node = new FakeNodeProcess();
        await FillAsync();
        Damage("bill@example.com"u8);
        var outcome = await node.RunAsync("message", "list", "--spool", Spool, "--format", "names");
        Assert.Equal((6, $"{First}\n{Third}\n"), (outcome.ExitCode, outcome.Out));
        Assert.Contains("1 damaged places in the spool were left out", outcome.Error);
    }

    private static DateTimeOffset Tried => DateTimeOffset.FromUnixTimeSeconds(1_790_200_000);

    private async Task<string> NamesAsync(FakeNodeProcess node, params string[] options) =>
        (await node.RunAsync(["message", "list", "--spool", Spool, "--format", "names", .. options])).Out;

    private static string Data(Outcome outcome)
    {
        using var json = JsonDocument.Parse(outcome.Out);
        return json.RootElement.GetProperty("data").GetRawText();
    }

    /// <summary>Three messages, received on 21, 22 and 23 September 2026; the last was tried once.</summary>
    private async Task FillAsync()
    {
        await using var spool = await OpenAsync();
        await AddAsync(spool, First, 1_790_000_000, "news@example.com", "ann@example.net", "default", "first");
        await AddAsync(spool, Second, 1_790_100_000, "bill@example.com", "bob@example.org", "default", "second");
        var third = await AddAsync(spool, Third, 1_790_190_000, "news@example.com", "cid@example.net", "bulk-1", "\u001b[2Jthird");
        spool.RecordAttempt(third, new(1, Tried, 451, 3));
    }

    private static async Task<StoredMessage> AddAsync(SpoolStore spool, string id, long received, string sender, string recipient, string binding, string subject)
    {
        Assert.True(MessageId.TryParse(id, out var parsed));
        using var body = spool.CreateBody();
        body.Write(Encoding.ASCII.GetBytes($"Subject: {subject}\r\n\r\ntext\r\n"));
        var result = await spool.CommitAsync(body, [new()
        {
            Id = parsed,
            BatchId = parsed,
            Received = DateTimeOffset.FromUnixTimeSeconds(received),
            Protocol = "ESMTP",
            Sender = sender,
            Recipient = recipient,
            BindingGroup = "default",
            Binding = binding,
        }]);
        return result.Messages.Single();
    }

    private ValueTask<SpoolStore> OpenAsync() => SpoolStore.OpenAsync(new() { Base = Spool, NodeName = "mta01" }, TimeProvider.System);

    /// <summary>Turns one octet of a record over; the index is made anew from the records.</summary>
    private void Damage(ReadOnlySpan<byte> text)
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Spool, "segments")))
        {
            var octets = File.ReadAllBytes(file);
            if (octets.AsSpan().IndexOf(text) is var at and >= 0)
            {
                octets[at] ^= 1;
                File.WriteAllBytes(file, octets);
            }
        }
    }
}
