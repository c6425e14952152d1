using System.IO.Pipelines;
using System.Text;

namespace Veredus.Smtp.Tests;

/// <summary>A client session with the test as the server at the other end.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    public const string Ehlo = "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250-8BITMIME\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n";
    public const string EhloChunking = "250-mx.example.net\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 CHUNKING\r\n";
    private readonly PipePair _pipes;

    public ScriptedServer(SmtpClientOptions? options = null, int threshold = 64 * 1024)
    {
        _pipes = new(threshold);
        Clock = new(Time);
        Session = new(_pipes.Client, options ?? new(), Clock);
    }

    public ManualTime Time { get; } = new();
    public DeadlineClock Clock { get; }
    public SmtpClientSession Session { get; }
    public PipeReader Input => _pipes.Server.Input;
    public PipeWriter Output => _pipes.Server.Output;

    public static SmtpTransaction Message(string content, params string[] recipients) => new(
        new("news@example.com"), [.. recipients.DefaultIfEmpty("ann@example.net").Select(to => new SmtpRecipient(new(to)))], Content(content));

    public static BufferedContent Content(string content) => new(new(Encoding.Latin1.GetBytes(content)));

    /// <summary>Runs a call of the session while the server reads up to each expected text and answers it.</summary>
    public async Task<T> PlayAsync<T>(ValueTask<T> call, params (string Expected, string Answer)[] script)
    {
        var running = call.AsTask();
        foreach (var (expected, answer) in script)
        {
            await ExpectAsync(expected);
            await SayAsync(answer);
        }

        return await running.WaitAsync(Dialogue.Patience);
    }

    public async Task<SmtpOutcome> OpenAsync(string ehlo = Ehlo) =>
        await PlayAsync(Session.OpenAsync("out.example.com", default), ("", "220 mx ESMTP\r\n"), ("EHLO out.example.com\r\n", ehlo));

    public async Task SayAsync(string text)
    {
        if (text.Length > 0)
            await Output.WriteAsync(Encoding.Latin1.GetBytes(text));
    }

    /// <summary>Reads exactly the expected octets.</summary>
    public async Task ExpectAsync(string expected)
    {
        if (expected.Length == 0)
            return;
        var result = await Input.ReadAtLeastAsync(expected.Length).AsTask().WaitAsync(Dialogue.Patience);
        var got = Encoding.Latin1.GetString(result.Buffer.Slice(0, Math.Min(expected.Length, result.Buffer.Length)));
        Input.AdvanceTo(result.Buffer.GetPosition(got.Length));
        Assert.Equal(expected, got);
    }

    /// <summary>Closes the server's side and reads what the client still sends.</summary>
    public async Task CloseAsync()
    {
        await Output.CompleteAsync();
        await Input.CompleteAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Session.DisposeAsync();
        Clock.Dispose();
    }
}
