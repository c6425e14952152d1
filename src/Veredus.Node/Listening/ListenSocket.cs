using System.Net;
using System.Net.Sockets;
using Veredus.Configuration;

namespace Veredus.Node.Listening;

/// <summary>How a listening socket is opened.</summary>
/// <param name="Backlog">Connections that wait to be accepted (<c>listen_backlog</c>).</param>
/// <param name="FileMode">Mode of a Unix socket (<c>file_mode</c>).</param>
/// <param name="FreeBind">Bind an address that this machine does not have yet (IP_FREEBIND): for addresses that come and go.</param>
/// <param name="MayShare">Bind although another socket of this process, marked by <see cref="ListenSocket.AllowSharing"/>, still holds the port on another address.</param>
public readonly record struct ListenSocketOptions(int Backlog = 500, UnixFileMode FileMode = (UnixFileMode)0b110_110_000, bool FreeBind = false, bool MayShare = false);

/// <summary>Opens listening sockets. A socket that is open here accepts into its backlog; nobody is answered until someone accepts.</summary>
public static class ListenSocket
{
    private const int IpFreeBind = 15;
    private const int Ipv6FreeBind = 78;

    /// <summary>Binds and listens.</summary>
    /// <exception cref="IOException">The address is in use, not on this machine or not permitted; the message names it.</exception>
    public static Socket Open(ListenEndpoint address, ListenSocketOptions options)
    {
        try
        {
            return address.UnixPath is { } path ? OpenUnix(path, options) : OpenTcp(new(address.Address!, address.Port), options);
        }
        catch (SocketException e)
        {
            var advice = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another process listens there",
                SocketError.AddressNotAvailable => "no interface of this machine has the address",
                SocketError.AccessDenied => "ports below 1024 need CAP_NET_BIND_SERVICE",
                _ => e.Message,
            };
            throw new IOException($"Cannot listen on {address}: {advice}.", e);
        }
    }

    /// <summary>Lets a socket of the same process bind the same port on another address before this one is closed (SO_REUSEPORT).</summary>
    public static void AllowSharing(Socket socket)
    {
        const int SolSocket = 1, SoReusePort = 15;
        if (socket.AddressFamily != AddressFamily.Unix)
            socket.SetRawSocketOption(SolSocket, SoReusePort, BitConverter.GetBytes(1));
    }

    private static Socket OpenTcp(IPEndPoint endPoint, ListenSocketOptions options)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            var isV6 = endPoint.AddressFamily == AddressFamily.InterNetworkV6;
            if (isV6)
                socket.DualMode = false; // [*] is IPv6 only; dual stack takes two stanzas
            if (options.FreeBind)
                socket.SetRawSocketOption(isV6 ? 41 : 0, isV6 ? Ipv6FreeBind : IpFreeBind, BitConverter.GetBytes(1));
            if (options.MayShare)
                AllowSharing(socket);
            socket.Bind(endPoint);
            socket.Listen(options.Backlog);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static Socket OpenUnix(string path, ListenSocketOptions options)
    {
        // A socket file that nobody listens on is what a killed process leaves behind.
        if (File.Exists(path) && !Answers(path))
            File.Delete(path);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint(path));
            File.SetUnixFileMode(path, options.FileMode);
            socket.Listen(options.Backlog);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static bool Answers(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
