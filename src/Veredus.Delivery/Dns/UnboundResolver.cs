using System.Collections.Immutable;
using System.ComponentModel;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Veredus.Delivery.Dns;

/// <summary>Resolves through libunbound, which brings its own worker thread; one thread of ours receives the answers.</summary>
public sealed partial class UnboundResolver : IDnsResolver, IDisposable
{
    private const int ClassIn = 1;

    private readonly UnboundNative.Context _context;
    private readonly SafeFileHandle _wake;
    private readonly Thread _receiver;
    private readonly SemaphoreSlim _slots;
    private readonly ResolverOptions _options;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly HashSet<Pending> _pending = [];
    private volatile bool _stopping;

    /// <exception cref="InvalidOperationException">libunbound refuses a setting; the message names it.</exception>
    /// <exception cref="DllNotFoundException">libunbound8 is not installed.</exception>
    public UnboundResolver(ResolverOptions options, TimeProvider? time = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxOutstanding, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.MaxOutstanding, 1000);
        (_options, _time) = (options, time ?? TimeProvider.System);
        _slots = new(options.MaxOutstanding, options.MaxOutstanding);
        _context = UnboundNative.ContextCreate();
        if (_context.IsInvalid)
            throw new InvalidOperationException("libunbound cannot create a context: out of memory or descriptors.");
        Configure();
        _wake = EventFd(0, CloseOnExec);
        if (_wake.IsInvalid)
            throw new Win32Exception(Marshal.GetLastPInvokeError(), "eventfd");
        _receiver = new Thread(Receive) { IsBackground = true, Name = "dns" };
        _receiver.Start();
    }

    /// <summary>Questions handed to libunbound and not answered yet.</summary>
    public int Outstanding => _options.MaxOutstanding - _slots.CurrentCount;

    public async ValueTask<DnsAnswer> ResolveAsync(DnsQuestion question, CancellationToken cancellationToken)
    {
        await _slots.WaitAsync(cancellationToken);
        try
        {
            var pending = new Pending(question);
            if (Start(pending) is { } refused)
                return refused;
            try
            {
                return await pending.Task.WaitAsync(_options.Timeout, _time, cancellationToken);
            }
            catch (TimeoutException)
            {
                Abandon(pending);
                return DnsAnswer.Failed(DnsStatus.Timeout, $"no answer within {_options.Timeout.TotalSeconds:0.#} s");
            }
            catch (OperationCanceledException)
            {
                Abandon(pending);
                throw;
            }
        }
        finally
        {
            _slots.Release();
        }
    }

    public void Dispose()
    {
        if (_stopping)
            return;
        _stopping = true;
        Span<byte> one = [1, 0, 0, 0, 0, 0, 0, 0];
        RandomAccess.Write(_wake, one, 0);
        _receiver.Join();
        _context.Dispose();  // joins libunbound's worker: no callback after this
        _wake.Dispose();
        lock (_gate)
        {
            foreach (var pending in _pending)
                pending.Finish(DnsAnswer.Failed(DnsStatus.ServFail, "resolver stopped"));
            _pending.Clear();
        }
    }

    private void Configure()
    {
        // The library's defaults suit one program asking little: 64 questions and 16 ports.
        var room = (_options.MaxOutstanding * 2).ToString(CultureInfo.InvariantCulture);
        Set("num-queries-per-thread:", room);
        Set("outgoing-range:", room);
        Set("do-not-query-localhost:", "no");
        // A server that was dead is asked again within half a minute, not within a quarter of an hour.
        Set("infra-host-ttl:", "30");
        Set("msg-cache-size:", "4m");
        Set("rrset-cache-size:", "8m");
        if (_options.TrustAnchorFile is { } anchor)
            Check(UnboundNative.AddTrustAnchorFile(_context, anchor), $"trust anchor file '{anchor}'");
        else
            Set("module-config:", "iterator");
        foreach (var server in _options.Servers)
            Check(UnboundNative.SetForwarder(_context, $"{server.Address}@{server.Port}"), $"name server {server}");
        Check(UnboundNative.SetThreaded(_context, 1), "threaded mode");
        // Names that unbound answers by itself although a private name server may know them.
        foreach (var zone in (ReadOnlySpan<string>)["test.", "home.arpa."])
            Check(UnboundNative.RemoveLocalZone(_context, zone), $"zone {zone}");
    }

    private void Set(string option, string value) => Check(UnboundNative.SetOption(_context, option, value), $"option {option} {value}");

    private static void Check(int error, string what)
    {
        if (error != 0)
            throw new InvalidOperationException($"libunbound refuses {what}: {UnboundNative.Describe(error)}.");
    }

    /// <summary>Hands the question over. <see langword="null"/>: under way; else the answer that it ends with.</summary>
    private unsafe DnsAnswer? Start(Pending pending)
    {
        // Under the lock, so that Dispose sees every question and none starts after it.
        lock (_gate)
        {
            if (_stopping)
                return DnsAnswer.Failed(DnsStatus.ServFail, "resolver stopped");
            pending.Owner = this;
            pending.Handle = GCHandle.Alloc(pending);
            _pending.Add(pending);
            var error = UnboundNative.ResolveAsync(_context, pending.Question.Name, (int)pending.Question.Type, ClassIn, GCHandle.ToIntPtr(pending.Handle), &OnAnswer, out pending.Id);
            if (error == 0)
                return null;
            _pending.Remove(pending);
            pending.Handle.Free();
            return DnsAnswer.Failed(DnsStatus.ServFail, UnboundNative.Describe(error));
        }
    }

    private void Abandon(Pending pending)
    {
        lock (_gate)
        {
            // Zero: libunbound will not call back any more. Else the callback ran or is about to, and frees the handle.
            if (!_stopping && _pending.Contains(pending) && UnboundNative.Cancel(_context, pending.Id) == 0)
            {
                _pending.Remove(pending);
                pending.Handle.Free();
            }
        }
    }

    private void Receive()
    {
        var descriptor = UnboundNative.Descriptor(_context);
        while (!_stopping)
        {
            if (UnboundNative.WaitReadable(descriptor, (int)_wake.DangerousGetHandle()) && !_stopping)
                _ = UnboundNative.Process(_context);  // its errors concern single answers, which then time out here
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void OnAnswer(nint mine, int error, UnboundNative.Result* result)
    {
        var pending = (Pending)GCHandle.FromIntPtr(mine).Target!;
        pending.Owner!.Answered(pending, error != 0 ? DnsAnswer.Failed(DnsStatus.ServFail, UnboundNative.Describe(error)) : Read(pending.Question.Type, result));
        UnboundNative.ResolveFree(result);
    }

    private void Answered(Pending pending, DnsAnswer answer)
    {
        lock (_gate)
            _pending.Remove(pending);
        pending.Finish(answer);
    }

    private static unsafe DnsAnswer Read(DnsType type, UnboundNative.Result* result)
    {
        var ttl = (uint)Math.Max(0, result->Ttl);
        if (result->Bogus != 0)
            return DnsAnswer.Failed(DnsStatus.Bogus, Marshal.PtrToStringUTF8((nint)result->WhyBogus) ?? "bogus");
        if (result->NxDomain != 0)
            return DnsAnswer.Failed(DnsStatus.NxDomain, "", ttl) with { IsSecure = result->Secure != 0 };
        if (result->RCode != 0)
            return DnsAnswer.Failed(DnsStatus.ServFail, RCodeName(result->RCode));
        if (result->HaveData == 0)
            return DnsAnswer.Failed(DnsStatus.NoData, "", ttl) with { IsSecure = result->Secure != 0 };
        var (addresses, mx, names) = (ImmutableArray.CreateBuilder<IPAddress>(), ImmutableArray.CreateBuilder<MxRecord>(), ImmutableArray.CreateBuilder<string>());
        for (var i = 0; result->Data[i] != null; i++)
        {
            var data = new ReadOnlySpan<byte>(result->Data[i], result->Lengths[i]);
            if (type is DnsType.A or DnsType.Aaaa && DnsRdata.TryReadAddress(type, data, out var address))
                addresses.Add(address);
            else if (type is DnsType.Mx && DnsRdata.TryReadMx(data, out var record))
                mx.Add(record);
            else if (type is DnsType.Txt ? DnsRdata.TryReadText(data, out var name) : type is DnsType.Ptr or DnsType.Cname & DnsRdata.TryReadName(data, out name))
                names.Add(name!);
        }
        if (addresses.Count + mx.Count + names.Count == 0)
            return DnsAnswer.Failed(DnsStatus.ServFail, "no record of the answer can be read");
        var canonical = (Marshal.PtrToStringUTF8((nint)result->CanonName) ?? "").TrimEnd('.').ToLowerInvariant();
        return new(DnsStatus.Ok, ttl, addresses.ToImmutable(), mx.ToImmutable(), names.ToImmutable(), canonical, result->Secure != 0);
    }

    private static string RCodeName(int code) => code switch { 1 => "FORMERR", 2 => "SERVFAIL", 4 => "NOTIMP", 5 => "REFUSED", _ => $"RCODE {code}" };

    private const int CloseOnExec = 0x80000;

    [LibraryImport("libc", EntryPoint = "eventfd", SetLastError = true)]
    private static partial SafeFileHandle EventFd(uint initial, int flags);

    /// <summary>A question that libunbound holds a handle to until it calls back or the question is cancelled.</summary>
    private sealed class Pending(DnsQuestion question) : TaskCompletionSource<DnsAnswer>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public DnsQuestion Question { get; } = question;
        public UnboundResolver? Owner { get; set; }
        public GCHandle Handle;
        public int Id;

        public void Finish(DnsAnswer answer)
        {
            Handle.Free();
            TrySetResult(answer);
        }
    }
}
