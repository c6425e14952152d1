using System.Buffers;
using System.Runtime.CompilerServices;

namespace Veredus.Smtp;

/// <summary>The content and the replies to it.</summary>
public sealed partial class SmtpClientSession
{
    private const int ReadSize = 32 * 1024;

    /// <summary>Appends DATA, or BDAT with all of a small content.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> AppendEarlyAsync(MessageContent content, bool chunks, Envelope envelope)
    {
        if (!chunks)
        {
            Append("DATA\r\n"u8);
            return true;
        }

        AppendBdat(content.Length);
        if (!await AppendContentAsync(content, new(envelope, SmtpStage.SendingBody), stuff: false))
            return false;
        content.Ending();
        return true;
    }

    private void AppendBdat(long length)
    {
        Append("BDAT "u8);
        Append(length);
        Append(" LAST\r\n"u8);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FinishChunkAsync(MessageContent content, Envelope envelope, bool sent)
    {
        if (!sent)
        {
            AppendBdat(content.Length);
            if (!await AppendContentAsync(content, new(envelope, SmtpStage.SendingBody), stuff: false))
                return;
            content.Ending();
            if (_outputLength > 0 && !await FlushAsync(SmtpStage.SendingBody, _options.WriteTimeout))
            {
                await ExplainAsync(envelope);
                return;
            }
        }

        if (envelope.Accepted > 0)
            await ConfirmAsync(envelope, chunks: true);
        else if (await ReadReplyAsync(SmtpStage.ReadingConfirmation, _options.BodyTimeout) is > 0 and var code)
            _needsReset = envelope.MailAccepted && code >= 300;  // nobody to send to, and the peer said so
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask FinishDataAsync(MessageContent content, Envelope envelope, bool sent)
    {
        var outcomes = envelope.Outcomes;
        if (!sent)
        {
            Append("DATA\r\n"u8);
            if (!await FlushAsync(SmtpStage.DuringData, _options.WriteTimeout))
            {
                Settle(outcomes, _failure);
                return;
            }
        }

        if (await ReadReplyAsync(SmtpStage.AfterData, _options.RcptTimeout) is not (> 0 and var code))
        {
            Settle(outcomes, _failure);
            return;
        }

        if (code != 354)
        {
            var answer = Answer(SmtpStage.AfterData);
            Settle(outcomes, code < 400 ? Unexpected(answer) : answer);
            _needsReset = envelope.MailAccepted;
            return;
        }

        if (envelope.Accepted == 0)
        {
            // The peer wants content for nobody: end it at once (RFC 2920 §3.1), whatever it says to that.
            Append(".\r\n"u8);
            if (await FlushAsync(SmtpStage.SendingBody, _options.WriteTimeout))
                await ReadReplyAsync(SmtpStage.ReadingConfirmation, _options.BodyTimeout);
            return;
        }

        var place = new ContentPlace(envelope, SmtpStage.SendingBody);
        if (!await AppendContentAsync(content, place, stuff: content.MayHaveLeadingDots))
            return;
        content.Ending();
        Append(place.EndsWithLine ? ".\r\n"u8 : "\r\n.\r\n"u8);
        if (await FlushAsync(SmtpStage.SendingBody, _options.WriteTimeout))
            await ConfirmAsync(envelope, chunks: false);
        else
            await ExplainAsync(envelope);
    }

    /// <summary>Reads the reply to the content: one for all, or with LMTP one for each accepted recipient (RFC 2033 §4.2).</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask ConfirmAsync(Envelope envelope, bool chunks)
    {
        var outcomes = envelope.Outcomes;
        _needsReset = false;
        for (var i = 0; i < outcomes.Length; i++)
        {
            if (outcomes[i].Reply is not null)
                continue;
            if (await ReadReplyAsync(SmtpStage.ReadingConfirmation, _options.BodyTimeout) is not (> 0 and var code))
            {
                Settle(outcomes, _failure);
                return;
            }

            _needsReset |= chunks && code >= 400;  // a failed BDAT leaves the transaction open (RFC 3030 §2)
            var answer = Answer(SmtpStage.ReadingConfirmation);
            if (code is >= 300 and < 400)
                answer = Unexpected(answer);
            outcomes[i] = answer;
            if (_options.Dialect == SmtpDialect.Lmtp && IsUsable)
                continue;
            Settle(outcomes, answer);
            return;
        }
    }

    /// <summary>A write failed: perhaps the peer said why before it closed.</summary>
    private async ValueTask ExplainAsync(Envelope envelope)
    {
        var failure = _failure;
        if (!_timedOut && await ReadReplyAsync(SmtpStage.SendingBody, _options.QuitTimeout) is >= 400)
            failure = Answer(SmtpStage.SendingBody);
        IsUsable = false;
        Settle(envelope.Outcomes, failure);
    }

    /// <summary>Where in a transaction a content is sent, and how it ended so far.</summary>
    private sealed class ContentPlace(Envelope envelope, SmtpStage stage)
    {
        public Envelope Envelope => envelope;
        public SmtpStage Stage => stage;
        public DotStuffer Stuffer = new();
        public bool EndsWithLine = true;
    }

    /// <summary>Appends the content to the output, writing whenever that is full; the last part is left there.</summary>
    /// <returns><see langword="false"/>: the transaction is over and all outcomes are set.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> AppendContentAsync(MessageContent content, ContentPlace place, bool stuff)
    {
        if (content.TryGetSequence(out var sequence))
        {
            foreach (var segment in sequence)
            {
                for (var rest = segment; !rest.IsEmpty;)
                {
                    if (!await MakeRoomAsync(place))
                        return false;
                    var part = rest[..Math.Min(rest.Length, RoomFor(stuff))];
                    AppendPart(part.Span, place, stuff);
                    rest = rest[part.Length..];
                }
            }

            return true;
        }

        return stuff ? await AppendStuffedAsync(content, place) : await AppendRawAsync(content, place);
    }

    /// <summary>The content is read straight into the output.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> AppendRawAsync(MessageContent content, ContentPlace place)
    {
        for (var offset = 0L; offset < content.Length;)
        {
            if (!await MakeRoomAsync(place))
                return false;
            var room = RoomFor(stuff: false);
            var space = _output.AsMemory(_outputLength, room);
            var read = await ReadContentAsync(content, offset, space, place);
            if (read == 0)
                return false;
            _outputLength += read;
            offset += read;
            NoteEnd(space.Span[..read], place);
        }

        return true;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> AppendStuffedAsync(MessageContent content, ContentPlace place)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ReadSize);
        try
        {
            for (var offset = 0L; offset < content.Length;)
            {
                if (!await MakeRoomAsync(place))
                    return false;
                var read = await ReadContentAsync(content, offset, buffer.AsMemory(0, Math.Min(buffer.Length, RoomFor(stuff: true))), place);
                if (read == 0)
                    return false;
                AppendPart(buffer.AsSpan(0, read), place, stuff: true);
                offset += read;
            }

            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> ReadContentAsync(MessageContent content, long offset, Memory<byte> destination, ContentPlace place)
    {
        try
        {
            var wanted = (int)Math.Min(destination.Length, content.Length - offset);
            var read = await content.ReadAsync(offset, destination[..wanted], _caller);
            if (read > 0)
                return read;
        }
        catch (OperationCanceledException)
        {
            IsUsable = false;
            throw;
        }
        catch (IOException)
        {
            // Falls through: the same as a content that is shorter than it says.
        }

        // The peer waits for the rest; only closing tells it that there is none.
        IsUsable = false;
        Settle(place.Envelope.Outcomes, new(InternalReplies.ContentUnreadable, place.Stage));
        return 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> MakeRoomAsync(ContentPlace place)
    {
        if (_output.Length == 0 || _output.Length - _outputLength > 1024)
            return true;
        if (await FlushAsync(place.Stage, _options.WriteTimeout))
            return true;
        await ExplainAsync(place.Envelope);
        return false;
    }

    private int RoomFor(bool stuff)
    {
        OutputSpace(1);
        var room = _output.Length - _outputLength - "\r\n.\r\n".Length;
        return stuff ? (room - 2) / 4 * 3 : room;
    }

    private void AppendPart(ReadOnlySpan<byte> part, ContentPlace place, bool stuff)
    {
        if (stuff)
            _outputLength += place.Stuffer.Stuff(part, OutputSpace(DotStuffer.MaxOutput(part.Length)));
        else
            Append(part);
        NoteEnd(part, place);
    }

    private bool _endsWithCr;

    private void NoteEnd(ReadOnlySpan<byte> part, ContentPlace place)
    {
        place.EndsWithLine = part.Length > 1 ? part[^2] == '\r' && part[^1] == '\n' : _endsWithCr && part[0] == '\n';
        _endsWithCr = part[^1] == '\r';
    }
}
