using System.Net;
using System.Net.Sockets;
using Veredus.Smtp;

namespace Veredus.Delivery;

/// <summary>Opens TCP connections from the address of a binding.</summary>
internal static class SourceSocket
{
    private const int IpProtocolLevel = 0;

    /// <summary>ip(7): the port is chosen at connect, so that one source address serves many destinations on the same port.</summary>
    private const int IpBindAddressNoPort = 24;

    /// <summary>The binding's address of the target's family; <see langword="null"/>: the system's choice.</summary>
    public static IPAddress? SourceFor(SendingPolicy policy, AddressFamily family) =>
        policy.BindAddress?.AddressFamily == family ? policy.BindAddress
        : policy.BindAddressSecondary?.AddressFamily == family ? policy.BindAddressSecondary
        : null;

    /// <returns>A connected socket, or the reply that says why there is none.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled.</exception>
    public static async ValueTask<(Socket? Socket, SmtpReply? Failure)> ConnectAsync(
        IPEndPoint target, IPAddress? source, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (source is not null && !TryBind(socket, source))
            {
                socket.Dispose();
                return (null, DeliveryReplies.LocalAddressMissing);
            }
            using var deadline = new CancellationTokenSource(timeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
            await socket.ConnectAsync(target, either.Token);
            return (socket, null);
        }
        catch (SocketException error)
        {
            socket.Dispose();
            return (null, error.SocketErrorCode is SocketError.TimedOut
                ? DeliveryReplies.ConnectionTimedOut
                : SmtpReply.FromText(451, new(4, 4, 1), $"{DeliveryReplies.Mark} cannot connect: {error.Message}"));
        }
        catch (OperationCanceledException)
        {
            socket.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            return (null, DeliveryReplies.ConnectionTimedOut);
        }
    }

    private static bool TryBind(Socket socket, IPAddress source)
    {
        try
        {
            socket.SetRawSocketOption(IpProtocolLevel, IpBindAddressNoPort, [1, 0, 0, 0]);
            socket.Bind(new IPEndPoint(source, 0));
            return true;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressNotAvailable)
        {
            return false;
        }
    }
}
