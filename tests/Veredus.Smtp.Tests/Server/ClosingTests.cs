namespace Veredus.Smtp.Tests.Server;

public class ClosingTests
{
    [Fact]
    public async Task A_waiting_session_closes_at_once()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        await dialogue.AskAsync("EHLO c");
        Assert.Equal(1, dialogue.Sessions.Count);
        dialogue.Sessions.Close(SmtpReplies.ShuttingDown);
        Assert.Equal("421 4.3.2 shutting down\r\n", await dialogue.ReadReplyAsync());
        Assert.Equal(SmtpSessionEnd.ShutDown, await dialogue.EndAsync());
        Assert.Equal(0, dialogue.Sessions.Count);
    }

    [Fact]
    public async Task A_transaction_is_finished_first()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        await dialogue.AskAsync("MAIL FROM:<a@example.com>");
        dialogue.Sessions.Close(SmtpReplies.ShuttingDown);
        Assert.StartsWith("250", await dialogue.AskAsync("RCPT TO:<b@example.net>"), StringComparison.Ordinal);
        Assert.StartsWith("354", await dialogue.AskAsync("DATA"), StringComparison.Ordinal);
        Assert.Equal("250 2.0.0 OK id=1\r\n", await dialogue.AskAsync("x\r\n."));
        Assert.Equal("421 4.3.2 shutting down\r\n", await dialogue.ReadReplyAsync());
        Assert.Equal(SmtpSessionEnd.ShutDown, await dialogue.EndAsync());
    }

    [Fact]
    public async Task A_session_that_starts_later_is_told_too()
    {
        using var dialogue = new Dialogue();
        dialogue.Sessions.Close(SmtpReplies.ShuttingDown);
        dialogue.Start();
        await dialogue.ReadReplyAsync();
        Assert.Equal("421 4.3.2 shutting down\r\n", await dialogue.ReadReplyAsync());
    }

    [Fact]
    public async Task Only_the_chosen_sessions_close()
    {
        using var dialogue = new Dialogue().Start();
        await dialogue.ReadReplyAsync();
        dialogue.Sessions.Close(SmtpReplies.ShuttingDown, session => session.HelloName == "other");
        Assert.StartsWith("250", await dialogue.AskAsync("NOOP"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_connection_gets_the_refusal_for_a_greeting()
    {
        using var dialogue = new Dialogue(new() { OnConnect = SmtpReplies.ConcurrencyLimit }).Start();
        Assert.Equal("421 4.4.5 Service unavailable, concurrency limit reached\r\n", await dialogue.ReadReplyAsync());
        Assert.Equal(SmtpSessionEnd.Refused, await dialogue.EndAsync());
        Assert.Equal(["concurrency limit: 421 limits"], dialogue.Handler.Refusals);
    }
}
