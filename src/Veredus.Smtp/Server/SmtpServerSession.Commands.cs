using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;

namespace Veredus.Smtp;

/// <summary>Commands: a line becomes a value at once (views into the pipe don't outlive that), then the value is carried out.</summary>
public sealed partial class SmtpServerSession
{
    /// <param name="Error">Why the line is no such command; then nothing else is set.</param>
    /// <param name="Value">MailCommand, RcptCommand, XclientCommand, or the argument as text.</param>
    private readonly record struct Command(SmtpVerb Verb, SmtpReply? Error = null, object? Value = null, long ChunkSize = 0, bool IsLast = false);

    private Command Read(in ReadOnlySequence<byte> line)
    {
        if (line.IsSingleSegment)
            return Read(line.FirstSpan);
        var length = (int)line.Length;
        var copy = ArrayPool<byte>.Shared.Rent(length);
        line.CopyTo(copy);
        var command = Read(copy.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(copy);
        return command;
    }

    private Command Read(ReadOnlySpan<byte> line)
    {
        var verb = SmtpVerbs.Read(line, out var argument);
        switch (verb)
        {
            case SmtpVerb.Mail:
                if (EnvelopeParser.ReadMail(argument, Options, out var mail) is { } badMail)
                    return new(verb, badMail);
                return new(verb, null, mail);
            case SmtpVerb.Rcpt:
                if (EnvelopeParser.ReadRcpt(argument, Options, _utf8, out var rcpt) is { } badRcpt)
                    return new(verb, badRcpt);
                return new(verb, null, rcpt);
            case SmtpVerb.Ehlo or SmtpVerb.Helo:
                argument = argument.TrimEnd((byte)' ');
                return AddressGrammar.IsHelloName(argument) && argument.Length <= 255
                    ? new(verb, null, Encoding.UTF8.GetString(argument))
                    : new(verb, SmtpReplies.BadHelloName);
            case SmtpVerb.Data or SmtpVerb.Rset or SmtpVerb.Quit or SmtpVerb.StartTls:
                return argument.IsEmpty ? new(verb) : new(verb, SmtpReplies.NoArgument);
            case SmtpVerb.Bdat:
                return ReadBdat(argument);
            case SmtpVerb.Auth:
                return new(verb, null, Encoding.ASCII.GetString(argument));
            case SmtpVerb.Xclient when (Options.Extensions & SmtpExtensions.Xclient) != 0:
                return XclientParser.TryRead(argument, out var xclient) ? new(verb, null, xclient) : new(verb, SmtpReplies.BadParameter);
            case SmtpVerb.Xecmmove when (Options.Extensions & SmtpExtensions.Xecmmove) != 0:
                return argument.IsEmpty ? new(verb, SmtpReplies.BadParameter) : new(verb, null, Encoding.UTF8.GetString(argument));
            case SmtpVerb.Xclient or SmtpVerb.Xecmmove:
                return new(SmtpVerb.Unknown);
            default:
                return new(verb);
        }
    }

    private static Command ReadBdat(ReadOnlySpan<byte> argument)
    {
        var blank = argument.IndexOf((byte)' ');
        return EnvelopeParser.TryReadSize(blank < 0 ? argument : argument[..blank], out var octets)
            && (blank < 0 || Ascii.EqualsIgnoreCase(argument[(blank + 1)..], "LAST"u8))
            ? new(SmtpVerb.Bdat, null, null, octets, blank >= 0)
            : new(SmtpVerb.Bdat, SmtpReplies.BadBdat);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask ExecuteAsync(Command command)
    {
        if (command.Verb == SmtpVerb.Unknown)
        {
            UnrecognizedCommands++;
            Reply(BadCommands + UnrecognizedCommands >= Options.MaxBadCommands ? SmtpReplies.TooManyBadCommands : SmtpReplies.UnknownCommand);
            return;
        }

        if (command.Error is null && CommandOrder.Check(_phase, command.Verb, Options.RequireEhlo, _anyRcpt) is { } disorder)
        {
            if (command.Verb is SmtpVerb.Data or SmtpVerb.Bdat)
                State = SessionState.DataPhase;
            // What the client sends behind a refused DATA or BDAT is content, and must not be run as commands.
            if (command.Verb == SmtpVerb.Bdat && !await DropChunkAsync(command.ChunkSize))
                return;
            if (disorder == SmtpReplies.NoValidRecipients)
            {
                Reply(disorder);
                AbortTransaction();
            }
            else
            {
                Bad(disorder);
            }

            if (command.Verb == SmtpVerb.Data)
                await RefuseEarlyContentAsync();
            return;
        }

        if (command.Error is { } error)
        {
            Bad(error);
            if (command.Verb == SmtpVerb.Bdat)
                _end ??= SmtpSessionEnd.Refused;  // where the next command begins is anybody's guess
            return;
        }

        switch (command.Verb)
        {
            case SmtpVerb.Mail:
                await MailAsync((MailCommand)command.Value!);
                break;
            case SmtpVerb.Rcpt:
                await RcptAsync((RcptCommand)command.Value!);
                break;
            case SmtpVerb.Data:
                await DataAsync();
                break;
            case SmtpVerb.Bdat:
                await BdatAsync(command.ChunkSize, command.IsLast);
                break;
            case SmtpVerb.Ehlo or SmtpVerb.Helo:
                await HelloAsync(command.Verb == SmtpVerb.Ehlo ? HelloVerb.Ehlo : HelloVerb.Helo, (string)command.Value!);
                break;
            case SmtpVerb.StartTls:
                await StartTlsAsync();
                break;
            case SmtpVerb.Auth:
                await AuthAsync((string)command.Value!);
                break;
            case SmtpVerb.Xclient:
                await XclientAsync((XclientCommand)command.Value!);
                break;
            case SmtpVerb.Xecmmove:
                Reply(await _handler.MoveAsync(this, (string)command.Value!, _aborted) ?? SmtpReplies.Ok);
                break;
            case SmtpVerb.Rset:
                AbortTransaction();
                Reply(SmtpReplies.Ok);
                break;
            case SmtpVerb.Quit:
                AbortTransaction();
                Reply(SmtpReplies.Bye);
                _end = SmtpSessionEnd.Quit;
                break;
            case SmtpVerb.Noop:
                Reply(SmtpReplies.Ok);
                break;
            case SmtpVerb.Vrfy:
                Reply(SmtpReplies.CannotVerify);
                break;
            case SmtpVerb.Help:
                Reply(SmtpReplies.Help);
                break;
            default:
                Bad(command.Verb == SmtpVerb.Lhlo ? SmtpReplies.NoLmtp : SmtpReplies.NoExpn);
                break;
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask MailAsync(MailCommand mail)
    {
        State = SessionState.SendingMailFromResponse;
        var refusal =
            Options.MaxReceptionsPerConnection > 0 && MessageCount >= Options.MaxReceptionsPerConnection ? SmtpReplies.TooManyReceptions
            : Options.MaxMessageSize > 0 && mail.Size > Options.MaxMessageSize ? SmtpReplies.TooLarge
            : mail.Sender.IsNull && !Options.AllowNullSender ? SmtpReplies.NullSenderRefused
            : mail.Sender.IsLiteral && !Options.AllowIpLiteral ? SmtpReplies.LiteralRefused
            : null;
        var reply = refusal ?? await _handler.MailAsync(this, mail, _aborted);
        if (reply is null or { IsPositive: true })
            (_phase, _utf8) = (SmtpPhase.MailGiven, mail.SmtpUtf8);
        Reply(reply ?? SmtpReplies.SenderOk);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask RcptAsync(RcptCommand rcpt)
    {
        State = SessionState.SendingRcptToResponse;
        _anyRcpt = true;
        var refusal =
            Options.MaxRecipientsPerMessage > 0 && TransactionRecipients >= Options.MaxRecipientsPerMessage ? SmtpReplies.TooManyRecipientsPerMessage
            : Options.MaxRecipientsPerConnection > 0 && RecipientCount >= Options.MaxRecipientsPerConnection ? SmtpReplies.TooManyRecipientsPerConnection
            : rcpt.Recipient.IsLiteral && !Options.AllowIpLiteral ? SmtpReplies.LiteralRefused
            : null;
        var reply = refusal ?? await _handler.RcptAsync(this, rcpt, _aborted);
        if (reply is null or { IsPositive: true })
        {
            _phase = SmtpPhase.RcptGiven;
            RecipientCount++;
            TransactionRecipients++;
        }
        else if (reply.Module == SmtpReplies.Relay)
        {
            State = SessionState.RelayingDenied;
        }

        Reply(reply ?? SmtpReplies.RecipientOk);
    }
}
