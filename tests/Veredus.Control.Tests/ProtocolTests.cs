namespace Veredus.Control.Tests;

public sealed class ProtocolTests
{
    [Fact]
    public async Task The_server_greets_with_its_name_and_answers_in_order_however_much_is_pipelined()
    {
        await using var bench = new Bench();
        Assert.Equal(
            "+VEREDUS 1 mx1.example.org 0.1.0\n+OK\n0:a\n1:b c\n.\n+OK short\n.\n-ERR 404 no such message\n.\n+OK bye\n.\n",
            await bench.TalkAsync("echo a \"b c\"\r\nMESSAGE\nMessage Details 20/00-00007-08B31BA6\nquit\nmessage\n"));
    }

    [Fact]
    public async Task Lines_that_look_like_the_end_are_doubled_and_come_back_as_they_were()
    {
        await using var bench = new Bench();
        Assert.Contains("\n+OK\n..\n...\n..a\nb\n..c\n.\n", await bench.TalkAsync("dots\n"));
        await using var client = await bench.ConnectAsync();
        Assert.Equal([".", "..", ".a", "b", ".c"], (await client.SendAsync("dots", default)).Lines);
    }

    [Fact]
    public async Task A_long_answer_is_streamed_whole()
    {
        await using var bench = new Bench();
        await using var client = await bench.ConnectAsync();
        var reply = await client.SendAsync("many 100000", default);
        Assert.Equal(100_000, reply.Lines.Count);
        Assert.Equal("line 99999", reply.Lines[^1]);
    }

    [Theory]
    [InlineData("nonsense", "-ERR 400 there is no command 'nonsense'; 'help' lists all")]
    [InlineData("mesage x", "-ERR 400 there is no command 'mesage x'; did you mean: message?")]
    [InlineData("echo \"open", "-ERR 400 the quote at column 6 is not closed")]
    [InlineData("message details", "-ERR 400 usage: message details ID")]
    [InlineData("json echo a", "-ERR 400 'echo' has no JSON form")]
    [InlineData("json", "-ERR 400 json is put in front of a command")]
    [InlineData("starttls", "-ERR 400 TLS is not offered here")]
    [InlineData("auth PLAIN", "-ERR 400 the mechanism PLAIN is not offered here")]
    [InlineData("help nothing", "-ERR 404 There is no command 'nothing'. 'help' lists all.")]
    public async Task A_wrong_line_gets_an_error_that_helps(string line, string answer)
    {
        await using var bench = new Bench();
        Assert.Contains($"\n{answer}\n.\n", await bench.TalkAsync(line + "\n"));
    }

    [Fact]
    public async Task A_fault_in_a_command_ends_neither_the_session_nor_the_server()
    {
        await using var bench = new Bench();
        await using var client = await bench.ConnectAsync();
        var reply = await client.SendAsync("fail", default);
        Assert.Equal((500, "the command failed: two lines (details in the paniclog)"), (reply.Code, reply.Text));
        Assert.Equal("short", (await client.SendAsync("message", default)).Text);
        Assert.Contains("the command 'fail' failed: System.InvalidOperationException", bench.Account);
    }

    [Fact]
    public async Task A_line_longer_than_64_KiB_and_octets_that_are_no_text_are_refused()
    {
        await using var bench = new Bench();
        Assert.EndsWith("-ERR 400 a line has at most 65536 octets\n.\n+OK short\n.\n", await bench.TalkAsync(new string('x', 200_000) + "\nmessage\n"));
        Assert.EndsWith("-ERR 400 a line has to be UTF-8\n.\n+OK short\n.\n", await bench.TalkAsync([.. "echo "u8, 0xff, 0xfe, .. "\nmessage\n"u8]));
    }

    [Fact]
    public async Task An_idle_session_is_closed()
    {
        await using var bench = new Bench();
        await using var client = await bench.ConnectAsync();
        bench.Time.Advance(TimeSpan.FromSeconds(61));
        await Assert.ThrowsAsync<ControlException>(() => client.SendAsync("message", default));
    }

    [Fact]
    public async Task State_belongs_to_one_session()
    {
        await using var bench = new Bench();
        await using var one = await bench.ConnectAsync();
        await using var other = await bench.ConnectAsync();
        await one.SendAsync("count", default);
        Assert.Equal("2", (await one.SendAsync("count", default)).Text);
        Assert.Equal("1", (await other.SendAsync("count", default)).Text);
    }

    [Fact]
    public async Task Json_is_asked_for_by_a_prefix()
    {
        await using var bench = new Bench();
        await using var client = await bench.ConnectAsync();
        Assert.Equal("{\"number\":1}", (await client.SendAsync("json number", default)).Body);
        Assert.Equal("number 1", (await client.SendAsync("number", default)).Body);
        Assert.Contains("{\"name\":\"echo\",\"arguments\":\"WORD...\",\"summary\":\"says the words\",\"json\":false}", (await client.SendAsync("json help", default)).Body);
    }

    [Fact]
    public async Task Stopping_ends_sessions_and_commands_that_run()
    {
        var bench = new Bench();
        await using var client = await bench.ConnectAsync();
        var running = client.SendAsync("wait", default);
        await bench.Waiting.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await bench.DisposeAsync();
        await Assert.ThrowsAsync<ControlException>(() => running);
    }

    [Fact]
    public async Task A_socket_that_is_not_there_is_named()
    {
        var error = await Assert.ThrowsAsync<ControlException>(() => ControlClient.ConnectAsync(ControlEndpoint.Unix("/nowhere/control.sock"), new(), default));
        Assert.Equal(0, error.Code);
        Assert.StartsWith("/nowhere/control.sock: ", error.Message);
    }

    [Theory]
    [InlineData("a b", "a|b")]
    [InlineData("  a\t\"b c\"d ", "a|b cd")]
    [InlineData("'a \\n' \"b\\nc\\d\"", "a \\n|b\nc\\d")]
    [InlineData("[192.0.2.1] #mmove group:x ( a )", "[192.0.2.1]|#mmove|group:x|(|a|)")]
    [InlineData("\"\"", "")]
    public void Words_are_split_at_blanks_outside_quotes(string line, string words)
    {
        Assert.True(CommandWords.TrySplit(line, out var split, out _));
        Assert.Equal(words, string.Join('|', split.Select(word => word.Text)));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("two words")]
    [InlineData("\"quotes\" and \\ back")]
    [InlineData("line\nbreak\ttab")]
    [InlineData("")]
    [InlineData("it's")]
    public void A_quoted_word_splits_back_to_itself(string word)
    {
        Assert.True(CommandWords.TrySplit("x " + CommandWords.Quote(word), out var split, out _));
        Assert.Equal(word, split[1].Text);
    }

    [Theory]
    [InlineData("/run/veredus/control.sock", "/run/veredus/control.sock")]
    [InlineData("mta01", "mta01:2025")]
    [InlineData("ops@mta01:99", "ops@mta01:99")]
    [InlineData("[2001:db8::1]", "[2001:db8::1]:2025")]
    [InlineData("[2001:db8::1]:25", "[2001:db8::1]:25")]
    public void Endpoints_read_as_they_are_printed(string text, string printed)
    {
        Assert.True(ControlEndpoint.TryParse(text, out var endpoint, out var error), error);
        Assert.Equal(printed, endpoint.ToString());
    }

    [Theory]
    [InlineData("ssh://ops@mta01/ann@localhost:2025", "ssh:// endpoints are ssh's business: ssh ops@mta01 ec_console ann@localhost:2025")]
    [InlineData("mta01:port", "'mta01:port' is not an endpoint; give a socket path, host:port or [ip6]:port, with user@ in front if need be")]
    [InlineData("[zz]:25", "'[zz]:25' is not an endpoint; give a socket path, host:port or [ip6]:port, with user@ in front if need be")]
    public void A_wrong_endpoint_is_answered_with_the_right_forms(string text, string message)
    {
        Assert.False(ControlEndpoint.TryParse(text, out _, out var error));
        Assert.Equal(message, error);
    }

    [Theory]
    [InlineData("/run/x.sock", true)]
    [InlineData("[2001:db8::1]", true)]
    [InlineData("mta01:2025", true)]
    [InlineData("ops@mta01", true)]
    [InlineData("summary", false)]
    [InlineData("group:x", false)]
    public void An_endpoint_is_told_from_a_command(string word, bool isEndpoint) => Assert.Equal(isEndpoint, ControlEndpoint.Looks(word));
}
