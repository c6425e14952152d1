using System.Buffers;
using System.Text;

namespace Veredus.Smtp.Tests;

/// <summary>A policy that says yes unless told otherwise, and remembers what it was asked.</summary>
internal sealed class FakeHandler : ISmtpServerHandler, IMessageSink
{
    private readonly ArrayBufferWriter<byte> _content = new();

    public List<string> Events { get; } = [];
    public List<string> Refusals { get; } = [];
    public List<string> Messages { get; } = [];
    public List<DataResult> Results { get; } = [];
    public SmtpReply? OnConnect { get; set; }
    public SmtpReply? OnHello { get; set; }
    public Func<MailCommand, SmtpReply?> OnMail { get; set; } = _ => null;
    public Func<RcptCommand, SmtpReply?> OnRcpt { get; set; } = _ => null;
    public SmtpReply? OnData { get; set; }
    public Func<DataResult, SmtpReply> OnEnd { get; set; } = _ => new(250, new(2, 0, 0), "OK id=1");
    public Func<PasswordCredentials, AuthResult> OnPassword { get; set; } =
        c => c is { User: "ann", Password: "secret" } ? AuthResult.Pass : AuthResult.Fail;
    public ISaslExchange? Scram { get; set; }
    public SmtpReply? OnXclient { get; set; }
    public Func<ValueTask<bool>> OnFlush { get; set; } = () => ValueTask.FromResult(true);
    public long ContentOctets { get; private set; }
    public bool KeepContent { get; set; } = true;

    public ValueTask<SmtpReply?> ConnectAsync(SmtpServerSession session, CancellationToken cancellationToken) => ValueTask.FromResult(OnConnect);

    public ValueTask<SmtpReply?> HelloAsync(SmtpServerSession session, CancellationToken cancellationToken)
    {
        Events.Add($"{session.HelloVerb} {session.HelloName}");
        return ValueTask.FromResult(OnHello);
    }

    public ValueTask<AuthResult> AuthenticateAsync(SmtpServerSession session, PasswordCredentials credentials, CancellationToken cancellationToken)
        => ValueTask.FromResult(OnPassword(credentials));

    public ValueTask<ISaslExchange?> BeginScramAsync(SmtpServerSession session, CancellationToken cancellationToken) => ValueTask.FromResult(Scram);

    public void AuthenticationEnded(SmtpServerSession session, AuthMechanisms mechanism, string user, AuthResult result)
        => Events.Add($"AUTH {mechanism} {user} {result}");

    public ValueTask<SmtpReply?> MailAsync(SmtpServerSession session, MailCommand mail, CancellationToken cancellationToken)
    {
        Events.Add($"MAIL {mail.Sender}");
        LastMail = mail;
        return ValueTask.FromResult(OnMail(mail));
    }

    public MailCommand? LastMail { get; private set; }
    public RcptCommand? LastRcpt { get; private set; }

    public ValueTask<SmtpReply?> RcptAsync(SmtpServerSession session, RcptCommand rcpt, CancellationToken cancellationToken)
    {
        Events.Add($"RCPT {rcpt.Recipient}");
        LastRcpt = rcpt;
        return ValueTask.FromResult(OnRcpt(rcpt));
    }

    public ValueTask<DataStart> DataAsync(SmtpServerSession session, CancellationToken cancellationToken)
    {
        Events.Add("DATA");
        _content.ResetWrittenCount();
        ContentOctets = 0;
        return ValueTask.FromResult(OnData is { } refusal ? new DataStart(refusal) : new DataStart(this));
    }

    public ValueTask<SmtpReply> EndOfDataAsync(SmtpServerSession session, DataResult result, CancellationToken cancellationToken)
    {
        Events.Add("END");
        Results.Add(result);
        Messages.Add(Encoding.Latin1.GetString(_content.WrittenSpan));
        return ValueTask.FromResult(OnEnd(result));
    }

    public void TransactionAborted(SmtpServerSession session) => Events.Add("ABORT");

    public ValueTask<SmtpReply?> XclientAsync(SmtpServerSession session, XclientCommand command, CancellationToken cancellationToken)
        => ValueTask.FromResult(OnXclient);

    public void Refused(SmtpServerSession session, SmtpReply reply) => Refusals.Add($"{session.State.Name()}: {reply.Code} {reply.Module}");

    public void Write(ReadOnlySpan<byte> content)
    {
        ContentOctets += content.Length;
        if (KeepContent)
            _content.Write(content);
    }

    public ValueTask<bool> FlushAsync(CancellationToken cancellationToken) => OnFlush();
}
